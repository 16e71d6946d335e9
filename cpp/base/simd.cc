#include "base/simd.h"

#include <array>
#include <cstdlib>

#include "base/check.h"

namespace embody {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"generic", "avx2", "avx512"};

SimdLevel best_level() {
#if EMBODY_X86_LEVELS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
        return SimdLevel::avx512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return SimdLevel::avx2;
    }
#endif
    return SimdLevel::generic;
}

SimdLevel choose_level() {
    const char* wanted = std::getenv("EMBODY_SIMD");
    if (wanted == nullptr || *wanted == '\0') {
        return best_level();
    }
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == wanted) {
            const auto level = static_cast<SimdLevel>(i);
            if (level > best_level()) {
                fail("EMBODY_SIMD: this CPU does not have ", wanted, ", its best level is ",
                     simd_name(best_level()));
            }
            return level;
        }
    }
    fail("EMBODY_SIMD: expected generic, avx2 or avx512, got '", wanted, "'",
         suggestion(wanted, kNames));
}

}  // namespace

SimdLevel simd_level() {
    static const SimdLevel level = choose_level();
    return level;
}

std::string_view simd_name(SimdLevel level) { return kNames[static_cast<std::size_t>(level)]; }

}  // namespace embody
