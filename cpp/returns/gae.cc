#include "returns/gae.h"

#include <algorithm>
#include <vector>

#include "base/float_mode.h"
#include "returns/rollout_threads.h"
#include "returns/stretch.h"

namespace embody {
namespace {

constexpr std::int64_t kCells =
    2048;  // cells walked back together: their rows stay in the first-level cache
constexpr double kNanosecondsPerCell = 0.3;

void walk_back(const Rollout& rollout, const float* values, const float* lam, float* advantages,
               float* returns, int threads, void (*kernel)(const GaeStep&)) {
    const std::int64_t n = rollout.environments;
    const std::int64_t rows = std::clamp<std::int64_t>(kCells / rollout.channels, 1, n);
    const std::int64_t stretches = (n + rows - 1) / rows;
    const std::int64_t cells = rollout.steps * n * rollout.channels;
    parallel_for(stretches, rollout_threads(threads, cells, kNanosecondsPerCell),
                 [&](std::int64_t begin, std::int64_t end, int) {
                     const FloatMode mode;
                     Stretch stretch(rollout, values, lam, advantages, returns, rows);
                     for (std::int64_t i = begin; i < end; ++i) {
                         stretch.run(i * rows, std::min(rows, n - i * rows), kernel);
                     }
                 });
}

}  // namespace

void gae(const Rollout& rollout, const float* values, const float* lam, float* advantages,
         float* returns, int threads) {
    walk_back(rollout, values, lam, advantages, returns, threads, return_kernels().gae);
}

void discounted_returns(const Rollout& rollout, float* returns, int threads) {
    walk_back(rollout, nullptr, nullptr, nullptr, returns, threads, return_kernels().discount);
}

void lambda_returns(const Rollout& rollout, const float* lam, float* returns, int threads) {
    walk_back(rollout, nullptr, lam, nullptr, returns, threads, return_kernels().lambda);
}

void segment_returns(const Rollout& rollout, const std::uint8_t* ends, float* returns,
                     int threads) {
    // The last row ends every segment: no value follows it.
    const std::int64_t rows = rollout.steps * rollout.environments;
    std::vector<std::uint8_t> ended(ends, ends + rows);
    std::fill(ended.end() - rollout.environments, ended.end(), std::uint8_t{1});
    Rollout cut = rollout;
    cut.terminated = cut.truncated = ended.data();
    cut.next_values = rollout.rewards;  // never read: nothing follows an end
    walk_back(cut, nullptr, nullptr, nullptr, returns, threads, return_kernels().discount);
}

}  // namespace embody
