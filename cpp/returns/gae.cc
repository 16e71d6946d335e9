#include "returns/gae.h"

#include <algorithm>
#include <vector>

#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "returns/kernels.h"

namespace embody {
namespace {

constexpr std::int64_t kCells =
    2048;  // cells walked back together: their rows stay in the first-level cache
constexpr double kNanosecondsPerCell = 0.4;

// The per-cell copies of what is given per channel or per environment, for one stretch of
// environments.
class Stretch {
  public:
    Stretch(const Rollout& rollout, const float* values, const float* lam, float* advantages,
            float* returns, std::int64_t rows)
        : rollout_(rollout), values_(values), advantages_(advantages), returns_(returns) {
        const auto cells = static_cast<std::size_t>(rows * rollout.channels);
        const auto channels = static_cast<std::size_t>(rollout.channels);
        ended_.resize(cells);
        carry_.resize(cells);
        for (std::size_t i = 0; i < cells; ++i) {
            const float gamma = rollout.gamma[i % channels];
            gamma_.push_back(gamma);
            trace_.push_back(lam == nullptr ? 0.0F : gamma * lam[i % channels]);
        }
    }

    // Walks back over the environments [first, first + rows).
    void run(std::int64_t first, std::int64_t rows, void (*kernel)(const GaeStep&)) {
        const std::int64_t channels = rollout_.channels;
        GaeStep step;
        step.cells = rows * channels;
        step.ended = ended_.data();
        step.gamma = gamma_.data();
        step.trace = trace_.data();
        step.carry = carry_.data();
        std::fill(carry_.begin(), carry_.end(), 0.0F);
        for (std::int64_t t = rollout_.steps - 1; t >= 0; --t) {
            const std::int64_t row = t * rollout_.environments + first;
            const std::int64_t cell = row * channels;
            find_ends(row, rows, t == rollout_.steps - 1);
            step.rewards = rollout_.rewards + cell;
            step.next_values = rollout_.next_values + cell;
            step.values = values_ == nullptr ? nullptr : values_ + cell;
            step.advantages = advantages_ == nullptr ? nullptr : advantages_ + cell;
            step.returns = returns_ + cell;
            kernel(step);
        }
    }

  private:
    // Beyond the last step of the rollout nothing is known: it ends there like a truncated one.
    void find_ends(std::int64_t row, std::int64_t rows, bool last) {
        const std::uint32_t always = last ? kTruncated : 0U;
        return_kernels().spread(
            rollout_.channels,
            {rows, rollout_.terminated + row, rollout_.truncated + row, always, ended_.data()});
    }

    const Rollout& rollout_;
    const float* values_;
    float* advantages_;
    float* returns_;
    std::vector<std::uint32_t> ended_;
    std::vector<float> gamma_;
    std::vector<float> trace_;
    std::vector<float> carry_;
};

void walk_back(const Rollout& rollout, const float* values, const float* lam, float* advantages,
               float* returns, int threads, void (*kernel)(const GaeStep&)) {
    const std::int64_t n = rollout.environments;
    const std::int64_t rows = std::clamp<std::int64_t>(kCells / rollout.channels, 1, n);
    const std::int64_t stretches = (n + rows - 1) / rows;
    const double cost =
        kNanosecondsPerCell * static_cast<double>(rollout.steps * n * rollout.channels);
    parallel_for(stretches, useful_threads(threads, cost),
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

}  // namespace embody
