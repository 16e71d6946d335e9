#include "returns/credit.h"

#include <cmath>
#include <vector>

#include "base/float_mode.h"
#include "base/thread_pool.h"

namespace embody {
namespace {

constexpr double kNanosecondsPerCell = 5.0;

// One environment; its episodes one after the other.
class Spreader {
  public:
    Spreader(const Rollout& rollout, Credit credit, const float* weights, float* out)
        : rollout_(rollout),
          credit_(credit),
          weights_(weights),
          out_(out),
          share_(static_cast<std::size_t>(rollout.steps)) {}

    void run(std::int64_t n) {
        std::int64_t first = 0;
        for (std::int64_t t = 0; t < rollout_.steps; ++t) {
            const std::int64_t row = t * rollout_.environments + n;
            if ((rollout_.terminated[row] | rollout_.truncated[row]) != 0 ||
                t == rollout_.steps - 1) {
                for (std::int64_t c = 0; c < rollout_.channels; ++c) {
                    spread(n, first, t, c);
                }
                first = t + 1;
            }
        }
    }

  private:
    std::int64_t cell(std::int64_t t, std::int64_t n, std::int64_t c) const {
        return (t * rollout_.environments + n) * rollout_.channels + c;
    }

    double share(std::int64_t t, std::int64_t n, std::int64_t last, std::int64_t c) const {
        switch (credit_) {
            case Credit::uniform:
                return 1.0;
            case Credit::discounted:
                return std::pow(static_cast<double>(rollout_.gamma[c]),
                                static_cast<double>(last - t));
            case Credit::last:
                return t == last ? 1.0 : 0.0;
            case Credit::given:
                break;
        }
        return static_cast<double>(weights_[t * rollout_.environments + n]);
    }

    void spread(std::int64_t n, std::int64_t first, std::int64_t last, std::int64_t c) {
        double total = 0;
        double whole = 0;
        for (std::int64_t t = first; t <= last; ++t) {
            total += static_cast<double>(rollout_.rewards[cell(t, n, c)]);
            share_[static_cast<std::size_t>(t)] = share(t, n, last, c);
            whole += share_[static_cast<std::size_t>(t)];
        }
        const auto length = static_cast<double>(last - first + 1);
        for (std::int64_t t = first; t <= last; ++t) {
            const double part =
                whole > 0 ? share_[static_cast<std::size_t>(t)] / whole : 1.0 / length;
            out_[cell(t, n, c)] = static_cast<float>(total * part);
        }
    }

    const Rollout& rollout_;
    Credit credit_;
    const float* weights_;
    float* out_;
    std::vector<double> share_;
};

}  // namespace

void redistribute(const Rollout& rollout, Credit credit, const float* weights, float* out,
                  int threads) {
    const double cells =
        static_cast<double>(rollout.steps * rollout.environments * rollout.channels);
    parallel_for(rollout.environments, useful_threads(threads, kNanosecondsPerCell * cells),
                 [&](std::int64_t begin, std::int64_t end, int) {
                     const FloatMode mode;
                     Spreader spreader(rollout, credit, weights, out);
                     for (std::int64_t n = begin; n < end; ++n) {
                         spreader.run(n);
                     }
                 });
}

void turn_rewards(const Rollout& rollout, const float* log_probs, const float* start, float* before,
                  float* out) {
    for (std::int64_t t = 0; t < rollout.steps; ++t) {
        for (std::int64_t n = 0; n < rollout.environments; ++n) {
            const std::int64_t row = t * rollout.environments + n;
            out[row] = log_probs[row] - before[n];
            const bool ended = (rollout.terminated[row] | rollout.truncated[row]) != 0;
            before[n] = ended ? start[n] : log_probs[row];
        }
    }
}

}  // namespace embody
