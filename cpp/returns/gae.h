// Returns and advantages per channel over a rollout of T steps, N environments and C channels.
#pragma once

#include <cstdint>

namespace embody {

struct Rollout {
    std::int64_t steps = 0;              // T
    std::int64_t environments = 0;       // N
    std::int64_t channels = 0;           // C
    const float* rewards = nullptr;      // [T, N, C]
    const float* next_values = nullptr;  // [T, N, C], value of the true successor of each step
    const std::uint8_t* terminated = nullptr;  // [T, N], wins over truncated
    const std::uint8_t* truncated = nullptr;   // [T, N]
    const float* gamma = nullptr;              // [C]
    // [T, N] or null: rows that belong to no episode; their advantages and returns are 0 and V
    const std::uint8_t* valid = nullptr;
    // [C] or null: 0 for a channel that the ends of episodes do not cut
    const std::uint8_t* episodic = nullptr;
};

// Generalised advantage estimation (Schulman et al. 2016), one backward pass for all channels:
//   delta = r + gamma (1-d) V' - V,   A = delta + gamma lam (1-d)(1-u) A of the next step, returns
//   = A + V.
void gae(const Rollout& rollout, const float* values, const float* lam, float* advantages,
         float* returns, int threads);

// G = r + gamma (1-d) (V' where truncated or at the last step, else G of the next step).
void discounted_returns(const Rollout& rollout, float* returns, int threads);

// G = r + gamma (1-d) (V' where truncated or at the last step, else (1-lam) V' + lam G of the next
// step), Sutton and Barto 2018, 12.1.
void lambda_returns(const Rollout& rollout, const float* lam, float* returns, int threads);

// The sum of rewards from each step to the end of its segment, that step included; gamma [C].
void segment_returns(const Rollout& rollout, const std::uint8_t* ends, float* returns, int threads);

}  // namespace embody
