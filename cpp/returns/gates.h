// Gated accumulation: channels that may pay only in episodes whose higher levels reached their
// thresholds (arXiv 2508.10548). pyembody/learn/gates_reference.py is the definition.
#pragma once

#include <cstdint>
#include <vector>

#include "returns/gae.h"

namespace embody {

enum class Aggregate : std::uint8_t { none, last, sum, max };
enum class GateScope : std::uint8_t { episode, running };
enum class GatePlace : std::uint8_t { steps, terminal };
enum class GatePending : std::uint8_t { hold, zero, open };

inline constexpr std::uint8_t kGateOpen = 1;      // of a latch: the running gate has opened
inline constexpr std::uint8_t kConditionMet = 2;  // the condition of a waiting channel has held

// One entry a channel.
struct GateRules {
    std::vector<std::int32_t> level;      // 0 is the highest
    std::vector<std::uint8_t> aggregate;  // Aggregate; none: the channel gates nobody
    std::vector<float> threshold;         // [C] or [N, C]
    std::vector<std::uint8_t> strict;     // `>` instead of `>=`
    std::vector<std::uint8_t> mask;       // the gate takes negative rewards too
    std::vector<std::uint8_t> mean;       // the gated part is divided by the episode's length
    std::vector<float> cap;               // the most that the positive part pays an episode
    std::vector<std::uint8_t> waits;      // the channel has a condition of its own
    GateScope scope = GateScope::episode;
    GatePlace place = GatePlace::steps;
    GatePending pending = GatePending::hold;

    std::vector<std::uint8_t> gated() const;
    // Whether the threshold of every channel is that of an environment.
    bool per_environment() const { return threshold.size() > level.size(); }
};

// What is carried from one buffer to the next: [N, C], length [N].
struct GateState {
    double* measure = nullptr;
    double* positive = nullptr;  // kept where a cap needs it
    double* held = nullptr;
    std::uint8_t* latch = nullptr;
    std::int32_t* length = nullptr;
};

struct GateInput {
    std::int64_t steps = 0;                    // T
    std::int64_t environments = 0;             // N
    const float* rewards = nullptr;            // [T, N, C]
    const std::uint8_t* terminated = nullptr;  // [T, N]
    const std::uint8_t* truncated = nullptr;   // [T, N]
    const std::uint8_t* valid = nullptr;       // [T, N] or null: all are
    const std::uint8_t* conditions = nullptr;  // [T, N, C] or null: no channel waits
};

// Ended episodes, in the order of (step, environment).
struct GateEpisodes {
    std::vector<std::int64_t> environment;  // [K]
    std::vector<std::int64_t> step;         // [K]
    std::vector<std::int64_t> length;       // [K]
    std::vector<double> measure;            // [K, C]
    std::vector<double> lump;               // [K, C], paid at the last step for earlier ones
    std::vector<std::uint8_t> open;         // [K, C]
    // [C]: the sum of rewards less that of what was paid; of gated_returns alone. Inside the core
    // one row a block.
    std::vector<double> withheld;
};

// Writes gated [T, N, C] (may be the rewards) and gate [T, N, C], and moves the state on.
GateEpisodes gate_rewards(const GateRules& rules, const GateState& state, const GateInput& input,
                          float* gated, std::uint8_t* gate, int threads);

// Gates the rewards of a rollout block by block and estimates advantages and returns from them;
// where an episode was truncated the bootstrap counts only if the gate is open.
GateEpisodes gated_returns(const GateRules& rules, const GateState& state, const GateInput& input,
                           const Rollout& rollout, const float* values, const float* lam,
                           float* advantages, float* returns, int threads);

}  // namespace embody
