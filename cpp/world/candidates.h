// Several next states for each row of a few, of which the most credible is taken.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/buffer.h"
#include "nn/forward.h"
#include "world/discriminators.h"
#include "world/live_rows.h"
#include "world/rollout.h"

namespace embody {

class Candidates {
  public:
    // Ensemble and settings are kept by the caller.
    Candidates(const Ensemble& ensemble, const RolloutSettings& settings);

    // From now on candidates are for these rows of the block, at most kBlockRows.
    void begin(const LiveRows& rows, std::span<const std::int32_t> index, std::uint32_t step);

    // Draws the candidates of the elite at `place` from its outputs and their variances [rows, S].
    void add(std::int64_t place, Rows outputs, const float* variances);

    // Writes each row's next state, who predicted it, and its dynamics reward.
    void choose();

  private:
    // Takes the votes of all discriminators on all candidates, and the rewards that they give.
    void vote();
    void reward_all();
    std::int64_t best(std::int64_t row) const;
    std::int64_t drawn(std::int64_t row) const;
    float* candidate(std::int64_t number, std::int64_t row) const;
    float reward(std::int64_t number, std::int64_t row) const;

    const Ensemble& ensemble_;
    const RolloutSettings& settings_;
    const Discriminators& judges_;
    std::int64_t state_;
    std::int64_t count_;  // J
    Forward head_;
    Forward tail_;
    LiveRows rows_;
    std::span<const std::int32_t> index_;
    std::uint32_t step_ = 0;
    Buffer candidates_;  // [J, kBlockRows, S]
    Buffer noise_;       // [kBlockRows, drawn S]
    Buffer inputs_;      // [kBlockRows, S + A]
    Buffer changes_;     // [J, kBlockRows, S]
    Buffer votes_;       // [J, kBlockRows, G], places until they are cast
    Buffer rewards_;     // [J, kBlockRows]
    std::vector<float> zeros_;
    std::vector<float> ones_;
    std::vector<std::uint32_t> ids_;
};

}  // namespace embody
