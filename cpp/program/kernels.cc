// One source of kernels, compiled once per SIMD level. The standard headers come first: inside a
// target region they would be compiled for that target.
#include "program/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/simd.h"

#if EMBODY_X86_LEVELS
#include <immintrin.h>
#endif

namespace embody {
namespace {

constexpr float kMaxFloat = std::numeric_limits<float>::max();
constexpr double kMaxDouble = std::numeric_limits<double>::max();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();

// tanh(x) = x + x^3 P(x^2) for |x| < 0.625: a least-maximum fit of P.
constexpr float kTanh[5] = {-0.333333289F, 0.133327697F, -0.0538509096F, 0.020997179F,
                            -0.00609671417F};

namespace generic {
#if EMBODY_X86_LEVELS
#define EMBODY_TILE 4
#else
#define EMBODY_TILE 0
#endif
#define EMBODY_WIDE 0
#include "program/simd/table.inc"
#undef EMBODY_TILE
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#define EMBODY_TILE 8
#include "program/simd/table.inc"
#undef EMBODY_WIDE
#undef EMBODY_TILE
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512")
namespace avx512 {
#define EMBODY_TILE 8
#define EMBODY_WIDE 1
#include "program/simd/table.inc"
#undef EMBODY_WIDE
#undef EMBODY_TILE
}  // namespace avx512
#pragma GCC pop_options
#endif

KernelTable choose_table() {
#if EMBODY_X86_LEVELS
    if (simd_level() == SimdLevel::avx512) {
        return avx512::make_table();
    }
    if (simd_level() == SimdLevel::avx2) {
        return avx2::make_table();
    }
#endif
    return generic::make_table();
}

}  // namespace

const KernelTable& kernels() {
    static const KernelTable table = choose_table();
    return table;
}

}  // namespace embody
