// One source of kernels, compiled once per SIMD level. The standard headers come first: inside a
// target region they would be compiled for that target.
#include "nn/bfloat16_kernels.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/simd.h"
#include "nn/bfloat16.h"

#if EMBODY_X86_LEVELS
#include <immintrin.h>
#endif

// Multiply-adds of activations are fused at every level, so that all give the same bits.
#define EMBODY_FUSED 1

namespace embody {
namespace {

namespace generic {
#define EMBODY_LANES 4
#define EMBODY_TILE_ROWS 4
#include "nn/simd/bfloat16.inc"
#undef EMBODY_LANES
#undef EMBODY_TILE_ROWS
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define EMBODY_LANES 8
#define EMBODY_TILE_ROWS 4
#include "nn/simd/bfloat16.inc"
#undef EMBODY_LANES
#undef EMBODY_TILE_ROWS
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,fma,prefer-vector-width=512")
namespace avx512 {
#define EMBODY_LANES 16
#define EMBODY_TILE_ROWS 12
#include "nn/simd/bfloat16.inc"
#undef EMBODY_LANES
#undef EMBODY_TILE_ROWS
}  // namespace avx512
#pragma GCC pop_options
#endif

Bfloat16Kernels choose_table() {
#if EMBODY_X86_LEVELS
    if (has_bfloat16_units()) {
        return avx512::make_table();
    }
    if (simd_level() >= SimdLevel::avx2 && __builtin_cpu_supports("fma")) {
        return avx2::make_table();
    }
#endif
    return generic::make_table();
}

}  // namespace

const Bfloat16Kernels& bfloat16_kernels() {
    static const Bfloat16Kernels table = choose_table();
    return table;
}

bool has_bfloat16_units() {
#if EMBODY_X86_LEVELS
    return simd_level() == SimdLevel::avx512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

}  // namespace embody
