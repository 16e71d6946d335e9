// Rewards of an episode moved between its steps; their sum stays.
#pragma once

#include <cstdint>

#include "returns/gae.h"

namespace embody {

enum class Credit : std::uint8_t { uniform, discounted, last, given };

// Spreads the rewards of each episode inside the rollout over its steps: equally, by gamma to the
// power of the steps that are left, all on the last one, or by `weights` [T, N], which are at least
// 0 (equally where all of an episode's are 0). out [T, N, C].
void redistribute(const Rollout& rollout, Credit credit, const float* weights, float* out,
                  int threads);

// out [T, N] = log_probs - those of the step before, the information that each turn gained. The
// first turn of an episode is compared with `start` [N], the first row with `before` [N], which
// moves on.
void turn_rewards(const Rollout& rollout, const float* log_probs, const float* start, float* before,
                  float* out);

}  // namespace embody
