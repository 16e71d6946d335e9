// Next states of a block of rows by the members of an ensemble.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/buffer.h"
#include "nn/pass.h"
#include "world/member_means.h"
#include "world/rollout.h"

namespace embody {

// Rows 0 to count - 1 of a block.
struct LiveRows {
    std::int64_t count = 0;
    const std::uint32_t* ids = nullptr;
    const float* state = nullptr;   // [R, S]
    const float* action = nullptr;  // [R, A]
    float* next = nullptr;          // [R, S]
    std::int8_t* member = nullptr;  // [R]
    float* penalty = nullptr;       // [R]
};

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
    Rows forward(std::int64_t member, std::int64_t count);
    void largest_spread(const LiveRows& rows, Index index) const;
    void move(const LiveRows& rows, std::int64_t row, Rows outputs, std::int64_t place) const;
    void repair(float* state) const;

    const Ensemble& ensemble_;
    const RolloutSettings& settings_;
    std::int64_t state_;
    bool noisy_;
    Pass pass_;
    MemberMeans means_;
    std::vector<bool> elite_;          // [E]
    Buffer inputs_;                    // [kBlockRows, S + A]
    Buffer noise_;                     // [kBlockRows, drawn S]
    Buffer variances_;                 // [kBlockRows, S]
    std::vector<std::uint32_t> ids_;   // [kBlockRows]
    std::vector<std::int32_t> order_;  // [R], rows by member
    std::vector<std::int64_t> ends_;   // [E + 1], of each member's rows, after a 0
};

}  // namespace embody
