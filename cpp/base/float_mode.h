// The default floating-point mode while a scope lasts: round to nearest, denormals kept.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace embody {

// Other libraries of the process may have set flush-to-zero on this thread; results must not depend
// on that.
class FloatMode {
  public:
#if defined(__x86_64__)
    FloatMode() : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80U); }
    ~FloatMode() { _mm_setcsr(saved_); }
#else
    FloatMode() = default;
    ~FloatMode() = default;
#endif
    FloatMode(const FloatMode&) = delete;
    FloatMode& operator=(const FloatMode&) = delete;

  private:
#if defined(__x86_64__)
    unsigned saved_;
#endif
};

}  // namespace embody
