// Gates and generalised advantage estimation in one walk over a block of environments.
#include <algorithm>
#include <vector>

#include "returns/gate_blocks.h"
#include "returns/stretch.h"

namespace embody {
namespace {

constexpr double kNanosecondsPerCell = 0.4;
constexpr std::size_t kRowsTogether = 8;

class ReturnsWalker {
  public:
    ReturnsWalker(const GateRules& rules, const GateState& state, const GateInput& input,
                  const Rollout& rollout, const float* values, const float* lam, float* advantages,
                  float* returns, std::int64_t most)
        : input_(input),
          rollout_(rollout),
          values_(values),
          advantages_(advantages),
          returns_(returns),
          withholds_(GateBlock::only_withholds(rules, input)),
          cells_(most * rollout.channels),
          block_(rules, state, input, most, GateBlock::needs_rows(rules, input)),
          stretch_(rollout, values, lam, advantages, returns, most) {
        const auto all = static_cast<std::size_t>(input.steps * cells_);
        gated_.resize(GateBlock::needs_rows(rules, input) ? all : 0);
        gate_.resize(rules.scope == GateScope::running ? all : 0);
        paid_.resize(static_cast<std::size_t>(cells_));
        withheld_.resize(withholds_ ? 0 : paid_.size());
        lumps_.resize(static_cast<std::size_t>(rollout.channels));
        lanes_.resize(lumps_.size() * kRowsTogether);
    }

    void run(std::int64_t first, std::int64_t rows, GateEpisodes& episodes) {
        block_.begin(first, rows, {gated_.empty() ? nullptr : gated_.data(), cells_},
                     {gate_.empty() ? nullptr : gate_.data(), cells_});
        block_.forward(episodes);
        std::fill(lumps_.begin(), lumps_.end(), 0.0);
        if (withholds_) {
            pay_back(first, rows, episodes);
        } else {
            step_back(first, rows, episodes);
        }
        add_withheld(rows, episodes);
        block_.finish(episodes);
    }

  private:
    // The way back where rewards must be written before they are estimated from.
    void step_back(std::int64_t first, std::int64_t rows, const GateEpisodes& episodes) {
        std::fill(withheld_.begin(), withheld_.end(), 0.0);
        stretch_.begin();
        for (std::int64_t t = input_.steps - 1; t >= 0; --t) {
            block_.back(t, episodes, paid_.data(), nullptr);
            watch(t, first, rows);
            stretch_.step(t, first, rows, paid_.data(), return_kernels().gae);
            block_.for_ends(t, [&](std::int64_t n) { end(t, first, n); });
        }
    }

    // Notes how much less than its rewards a step is paid.
    void watch(std::int64_t t, std::int64_t first, std::int64_t rows) {
        const std::int64_t channels = rollout_.channels;
        const float* rewards = input_.rewards + (t * input_.environments + first) * channels;
        const float* paid = paid_.data();
        double* __restrict sum = withheld_.data();
        for (std::int64_t i = 0; i < rows * channels; ++i) {
            sum[i] += static_cast<double>(rewards[i]) - static_cast<double>(paid[i]);
        }
    }

    // The way back where gates only withhold: the rewards are read where they are.
    void pay_back(std::int64_t first, std::int64_t rows, const GateEpisodes& episodes) {
        stretch_.begin();
        for (std::int64_t t = input_.steps - 1; t >= 0; --t) {
            const auto [from, to] = block_.ended(t, episodes);
            const float* rewards =
                input_.rewards + (t * input_.environments + first) * rollout_.channels;
            stretch_.step(t, first, rows, rewards, return_kernels().gae_gated,
                          block_.withholding());
            for (std::size_t k = from; k < to; ++k) {
                pay_end(t, first, episodes, k);
            }
        }
    }

    // The last step of an episode, with what was held for it.
    void pay_end(std::int64_t t, std::int64_t first, const GateEpisodes& episodes, std::size_t k) {
        const std::int64_t channels = rollout_.channels;
        const std::int64_t n = episodes.environment[k] - first;
        const std::int64_t row = t * input_.environments + first + n;
        for (std::int64_t c = 0; c < channels; ++c) {
            const double lump =
                episodes.lump[k * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)];
            const float had = input_.rewards[row * channels + c];
            float& paid = paid_[static_cast<std::size_t>(n * channels + c)];
            paid = had > block_.most()[n * channels + c] ? 0.0F : had;
            paid = lump != 0 ? static_cast<float>(static_cast<double>(paid) + lump) : paid;
            lumps_[static_cast<std::size_t>(c)] += lump;
        }
        end(t, first, n);
    }

    // Adds the block's sum of what was withheld: neighbouring rows side by side, then their
    // channels.
    void add_withheld(std::int64_t rows, GateEpisodes& episodes) {
        const std::vector<double>& cells = withholds_ ? block_.lost() : withheld_;
        const auto channels = static_cast<std::size_t>(rollout_.channels);
        const auto count = static_cast<std::size_t>(rows) * channels;
        std::fill(lanes_.begin(), lanes_.end(), 0.0);
        for (std::size_t start = 0; start < count; start += lanes_.size()) {
            const std::size_t here = std::min(lanes_.size(), count - start);
            for (std::size_t i = 0; i < here; ++i) {
                lanes_[i] += cells[start + i];
            }
        }
        for (std::size_t i = channels; i < lanes_.size(); ++i) {
            lanes_[i % channels] += lanes_[i];
        }
        for (std::size_t c = 0; c < channels; ++c) {
            episodes.withheld.push_back(lanes_[c] - lumps_[c]);
        }
    }

    // At an end nothing follows but what is bootstrapped, and that only through an open gate.
    void end(std::int64_t t, std::int64_t first, std::int64_t n) {
        const std::int64_t channels = rollout_.channels;
        const std::int64_t row = t * rollout_.environments + first + n;
        const bool dead = rollout_.terminated[row] != 0;
        for (std::int64_t c = 0; c < channels; ++c) {
            if (rollout_.episodic != nullptr && rollout_.episodic[c] == 0) {
                continue;
            }
            const std::int64_t cell = row * channels + c;
            const bool pays =
                withholds_ ? block_.most()[n * channels + c] > 0 : block_.open(t, n, c);
            const float open = pays ? 1.0F : 0.0F;
            const float next = dead ? 0.0F : rollout_.next_values[cell] * open;
            const float paid = paid_[static_cast<std::size_t>(n * channels + c)];
            const float delta = (paid + rollout_.gamma[c] * next) - values_[cell];
            stretch_.carry()[n * channels + c] = advantages_[cell] = delta;
            returns_[cell] = delta + values_[cell];
        }
    }

    const GateInput& input_;
    const Rollout& rollout_;
    const float* values_;
    float* advantages_;
    float* returns_;
    bool withholds_;
    std::int64_t cells_;
    GateBlock block_;
    Stretch stretch_;
    std::vector<float> gated_;
    std::vector<std::uint8_t> gate_;
    std::vector<float> paid_;
    std::vector<double> withheld_;  // [rows, C], where rewards are written
    std::vector<double> lumps_;     // [C]: paid for earlier buffers, where they are not
    std::vector<double> lanes_;     // rows that are added side by side
};

}  // namespace

GateEpisodes gated_returns(const GateRules& rules, const GateState& state, const GateInput& input,
                           const Rollout& rollout, const float* values, const float* lam,
                           float* advantages, float* returns, int threads) {
    return gate_blocks(rules, input, threads, kNanosecondsPerCell, [&](std::int64_t most) {
        return ReturnsWalker(rules, state, input, rollout, values, lam, advantages, returns, most);
    });
}

}  // namespace embody
