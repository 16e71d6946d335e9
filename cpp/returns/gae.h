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
};

// Generalised advantage estimation (Schulman et al. 2016), one backward pass for all channels:
//   delta = r + gamma (1-d) V' - V,   A = delta + gamma lam (1-d)(1-u) A of the next step, returns
//   = A + V.
void gae(const Rollout& rollout, const float* values, const float* lam, float* advantages,
         float* returns, int threads);

// G = r + gamma (1-d) (V' where truncated or at the last step, else G of the next step).
void discounted_returns(const Rollout& rollout, float* returns, int threads);

}  // namespace embody
