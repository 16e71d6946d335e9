// One source of kernels, compiled once per SIMD level. The standard headers come first: inside a
// target region they would be compiled for that target.
#include "nn/kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/simd.h"
#include "nn/buffer.h"

#if EMBODY_X86_LEVELS
#include <immintrin.h>
#endif

namespace embody {
namespace {

namespace generic {
#define EMBODY_LANES 4
#define EMBODY_TILE_ROWS 4
#include "nn/simd/table.inc"
#undef EMBODY_LANES
#undef EMBODY_TILE_ROWS
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define EMBODY_LANES 8
#define EMBODY_TILE_ROWS 6
#include "nn/simd/table.inc"
#undef EMBODY_LANES
#undef EMBODY_TILE_ROWS
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")
namespace avx512 {
#define EMBODY_LANES 16
#define EMBODY_TILE_ROWS 12
#include "nn/simd/table.inc"
#undef EMBODY_LANES
#undef EMBODY_TILE_ROWS
}  // namespace avx512
#pragma GCC pop_options
#endif

NetworkKernels choose_table() {
#if EMBODY_X86_LEVELS
    if (simd_level() == SimdLevel::avx512) {
        return avx512::make_table();
    }
    if (simd_level() == SimdLevel::avx2 && __builtin_cpu_supports("fma")) {
        return avx2::make_table();
    }
#endif
    return generic::make_table();
}

}  // namespace

const NetworkKernels& network_kernels() {
    static const NetworkKernels table = choose_table();
    return table;
}

}  // namespace embody
