// One source of kernels, compiled once per SIMD level. The standard headers come first: inside a
// target region they would be compiled for that target.
#include "returns/kernels.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/simd.h"

#if EMBODY_X86_LEVELS
#include <immintrin.h>
#endif

namespace embody {
namespace {

constexpr float kMaxFloat = std::numeric_limits<float>::max();

namespace generic {
#include "returns/simd/gae_rows.inc"
#include "returns/simd/gates.inc"
#include "returns/simd/returns.inc"
#include "returns/simd/table.inc"
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#define EMBODY_LANES 8
#include "returns/simd/gae_rows.inc"
#include "returns/simd/gates.inc"
#include "returns/simd/returns.inc"
#include "returns/simd/table.inc"
#undef EMBODY_LANES
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512")
namespace avx512 {
#define EMBODY_LANES 16
#include "returns/simd/gae_rows.inc"
#include "returns/simd/gates.inc"
#include "returns/simd/returns.inc"
#include "returns/simd/table.inc"
#undef EMBODY_LANES
}  // namespace avx512
#pragma GCC pop_options
#endif

ReturnKernels choose_table() {
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

const ReturnKernels& return_kernels() {
    static const ReturnKernels table = choose_table();
    return table;
}

}  // namespace embody
