// Next states of a block of rows by the members of an ensemble.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nn/buffer.h"
#include "nn/forward.h"
#include "world/candidates.h"
#include "world/live_rows.h"
#include "world/member_means.h"
#include "world/rollout.h"

namespace embody {

class Members {
  public:
    // For blocks of at most `rows` rows. Ensemble and settings are kept by the caller.
    Members(const Ensemble& ensemble, const RolloutSettings& settings, std::int64_t rows);

    void step(const LiveRows& rows, std::uint32_t step);

  private:
    using Index = std::span<const std::int32_t>;  // rows of the block, at most kBlockRows

    void choose(const LiveRows& rows, std::uint32_t step);
    void sort(const LiveRows& rows);
    // Each row by its own member alone, or by all members.
    void chosen(const LiveRows& rows, std::uint32_t step);
    void everyone(const LiveRows& rows, Index index, std::uint32_t step);

    void gather(const LiveRows& rows, Index index);
    void draw(const LiveRows& rows, Index index, std::uint32_t step);
    Rows predict(std::int64_t member, std::int64_t count);
    void largest_spread(const LiveRows& rows, Index index) const;
    void move(const LiveRows& rows, std::int64_t row, Rows outputs, std::int64_t place) const;

    const Ensemble& ensemble_;
    const RolloutSettings& settings_;
    std::int64_t state_;
    bool noisy_;
    Forward forward_;
    MemberMeans means_;
    std::vector<std::int64_t> place_;  // [E], of a member among the elites, -1: it is none
    std::optional<Candidates> candidates_;
    Buffer inputs_;                    // [kBlockRows, S + A]
    Buffer noise_;                     // [kBlockRows, drawn S]
    Buffer variances_;                 // [kBlockRows, S]
    std::vector<std::uint32_t> ids_;   // [kBlockRows]
    std::vector<std::int32_t> order_;  // [R], rows by member
    std::vector<std::int64_t> ends_;   // [E + 1], of each member's rows, after a 0
};

}  // namespace embody
