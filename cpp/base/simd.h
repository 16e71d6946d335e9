// Which vector instructions the kernels use: chosen once from the CPU, or by EMBODY_SIMD.
#pragma once

#include <cstdint>
#include <string_view>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EMBODY_X86_LEVELS 1
#else
#define EMBODY_X86_LEVELS 0
#endif

namespace embody {

enum class SimdLevel : std::uint8_t { generic, avx2, avx512 };

// The level in use. Throws std::invalid_argument when EMBODY_SIMD names a level that is unknown or
// that this CPU lacks.
SimdLevel simd_level();

std::string_view simd_name(SimdLevel level);

// Makes streamed stores, which pass the caches and the usual order of stores, visible before later
// ones. Not a fence of <atomic>, which the thread sanitizer does not know.
inline void order_streamed() {
#if EMBODY_X86_LEVELS
    __builtin_ia32_sfence();
#endif
}

}  // namespace embody
