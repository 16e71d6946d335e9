// Imagined rollouts: many rows, each from its start state through the horizon or until it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nn/forward.h"
#include "program/program.h"
#include "world/discriminators.h"
#include "world/ensemble.h"

namespace embody {

enum class Propagation : std::uint8_t {
    sampled,  // another elite for every row and step
    elite,    // one elite for a whole row
    mean,     // the mean of the elites' means, without noise
    select,   // the most credible of several candidates
    softmax,  // one of them by exp(dynamics reward / 0.1)
};
enum class Penalty : std::uint8_t {
    none,
    aleatoric,  // the largest of the members' |standard deviation|_2. Paper: Yu et al., MOPO (2020)
    disagreement,  // |standard deviation over the members' means|_2
};

// Where a program's input is read from: columns of what the rollout knows of a row.
enum class Source : std::uint8_t { state, action, carried };
struct ProgramInput {
    Source source = Source::state;
    std::int64_t column = 0;
};

// Groups of the program by their place, -1 where it has none. Without a program the policy sees the
// state itself.
struct RolloutProgram {
    const Program* program = nullptr;
    std::vector<ProgramInput> inputs;
    std::int64_t observations = -1;
    std::int64_t critic = -1;  // what the critics see
    std::int64_t channels = -1;
    std::int64_t terminated = -1;
};

// What happens to a row whose next state is not credible.
enum class OnReject : std::uint8_t {
    truncate,   // it ends before that step
    terminate,  // it ends with that step, as terminated
};

// Candidates of each row and step, `resamples` of every elite, judged by the dynamics reward. From
// step `after` on a reward below `threshold` rejects the row.
struct Filter {
    std::shared_ptr<const Discriminators> judges;  // null: there is no filter
    std::int64_t resamples = 2;
    float threshold = 0.0F;
    std::int64_t after = 0;
    OnReject on_reject = OnReject::truncate;
};

struct RolloutSettings {
    std::uint64_t seed = 0;
    std::int64_t steps = 0;  // L
    Propagation propagation = Propagation::sampled;
    Penalty penalty = Penalty::none;
    bool noise = true;  // of the members and the policy
    Filter filter;
    Precision precision = Precision::float32;  // of all networks

    // Whether a row's own member says all that is asked for.
    bool alone() const {
        return propagation != Propagation::mean && penalty == Penalty::none &&
               filter.judges == nullptr;
    }
};

// Rows of the caller; what is null is not given, or not asked for. At and after the step at which a
// row ended nothing is valid and all is 0, but for the member, which is -1.
struct RolloutArrays {
    std::int64_t rows = 0;           // B
    std::int64_t carried = 0;        // K
    std::int64_t carried_steps = 1;  // 1: they stay as they are; else L + 1
    const float* states = nullptr;   // [B, S]
    const float* carried_rows =
        nullptr;                    // [carried_steps, B, K], where a row starts, then after steps
    const float* before = nullptr;  // [B, A], the actions that led to the start states
    const float* given_actions = nullptr;  // [B, L, A]
    const std::uint32_t* ids = nullptr;    // [B], keys of their random numbers
    const float* params = nullptr;         // of the program

    float* observations = nullptr;               // [L, B, O], before the step
    float* critic_observations = nullptr;        // [L, B, P], before the step
    float* actions = nullptr;                    // [L, B, A]
    float* next_states = nullptr;                // [L, B, S]
    float* channels = nullptr;                   // [L, B, C]
    std::uint8_t* terminated = nullptr;          // [L, B]
    std::uint8_t* valid = nullptr;               // [L, B]
    float* penalty = nullptr;                    // [L, B]
    std::int8_t* member = nullptr;               // [L, B]
    float* credible = nullptr;                   // [L, B], the dynamics reward of the step
    std::uint8_t* rejected = nullptr;            // [B], rows that ended as not credible
    float* final_observations = nullptr;         // [B, O], after the last valid step
    float* final_critic_observations = nullptr;  // [B, P]
};

struct Imagination {
    std::shared_ptr<const Ensemble> ensemble;
    std::shared_ptr<const Actor> actor;  // null: actions are given
    RolloutProgram program;
    RolloutSettings settings;
    RolloutArrays arrays;

    std::int64_t observation_width() const;
    std::int64_t critic_width() const;
    std::int64_t channel_width() const;
};

// Writes all arrays that are asked for and returns how many rows left the finite numbers. The same
// bits for any number of threads, and for rows imagined by themselves.
std::int64_t run_rollout(const Imagination& rollout, int threads);

}  // namespace embody
