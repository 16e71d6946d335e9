// Compiled with fast-math, as one would write such a loop by hand: it is a measure, not a part of
// any result.
#include "bench/legged.h"

#include "base/simd.h"
#include "base/thread_pool.h"

namespace embody {
namespace {

constexpr int kTile = 64;

namespace generic {
#include "bench/legged.inc"
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "bench/legged.inc"
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")
namespace avx512 {
#include "bench/legged.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

using Tile = void (*)(const LeggedRows&, std::int64_t, std::int64_t);

Tile choose_tile() {
#if EMBODY_X86_LEVELS
    if (simd_level() == SimdLevel::avx512) {
        return avx512::tile;
    }
    if (simd_level() == SimdLevel::avx2) {
        return avx2::tile;
    }
#endif
    return generic::tile;
}

}  // namespace

void legged_terms(const LeggedRows& arrays, std::int64_t n, int threads) {
    const Tile run = choose_tile();
    const std::int64_t tiles = (n + kTile - 1) / kTile;
    const int useful = useful_threads(threads, static_cast<double>(n) * 10.0);
    parallel_for(tiles, useful, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
            const std::int64_t last = (t + 1) * kTile;
            run(arrays, t * kTile, last < n ? last : n);
        }
    });
}

}  // namespace embody
