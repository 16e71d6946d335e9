// One source of kernels, compiled once per SIMD level. The standard headers come first: inside a
// target region they would be compiled for that target.
#include "world/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/simd.h"

namespace embody {
namespace {

namespace generic {
#include "world/simd/table.inc"
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "world/simd/table.inc"
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512")
namespace avx512 {
#include "world/simd/table.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

WorldKernels choose_table() {
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

const WorldKernels& world_kernels() {
    static const WorldKernels table = choose_table();
    return table;
}

}  // namespace embody
