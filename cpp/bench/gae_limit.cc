// Compiled with fast-math, as one would write such a loop by hand: it is a measure, not a part of
// any result.
#include "bench/gae_limit.h"

#include <algorithm>

#include "base/simd.h"
#include "base/thread_pool.h"

namespace embody {
namespace {

constexpr std::int64_t kCells = 2048;  // walked back together
constexpr double kNanosecondsPerCell = 0.3;

namespace generic {
#include "bench/gae_limit.inc"
}  // namespace generic

#if EMBODY_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "bench/gae_limit.inc"
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")
namespace avx512 {
#include "bench/gae_limit.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

using Walk = void (*)(const GaeLimit&, std::int64_t, std::int64_t);

Walk choose_walk() {
#if EMBODY_X86_LEVELS
    if (simd_level() == SimdLevel::avx512) {
        return avx512::stretch;
    }
    if (simd_level() == SimdLevel::avx2) {
        return avx2::stretch;
    }
#endif
    return generic::stretch;
}

}  // namespace

void gae_limit(const GaeLimit& a, int threads) {
    const Walk walk = choose_walk();
    const std::int64_t columns = kCells / a.channels;
    const std::int64_t stretches = (a.environments + columns - 1) / columns;
    const std::int64_t cells = a.steps * a.environments * a.channels;
    const int useful = useful_threads(threads, kNanosecondsPerCell * static_cast<double>(cells));
    parallel_for(stretches, useful, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t first = i * columns;
            walk(a, first, std::min(columns, a.environments - first));
        }
    });
}

}  // namespace embody
