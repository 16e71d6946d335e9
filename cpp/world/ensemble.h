// Gaussian models of s' - s, and a policy that acts on what they imagine, packed for rollouts. Both
// are immutable, so that a run goes on with what it began with while others are loaded.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/forward.h"
#include "nn/network.h"

namespace embody {

// Which columns of a state are more than numbers.
struct StateColumns {
    std::int64_t width = 0;                 // S
    std::vector<std::int64_t> quaternions;  // first columns of unit quaternions
    std::vector<std::int64_t> truths;       // columns of truth values, 0 or 1
};

struct EnsembleArrays {
    const float* flat = nullptr;  // of the network
    const float* mean = nullptr;  // [S + A], and 1 / standard deviation, of [s, a]
    const float* inverse_std = nullptr;
    const float* log_var_min = nullptr;  // [S]
    const float* log_var_max = nullptr;
    std::vector<std::int32_t> elites;
};

// Members' networks give the means of s' - s, then raw log variances, for normalised [s, a].
class Ensemble {
  public:
    // Throws std::invalid_argument naming what does not fit.
    Ensemble(const Network& network, const StateColumns& columns, const EnsembleArrays& arrays);

    const Network& network() const { return network_; }
    const ForwardPanels& panels() const { return panels_; }
    const StateColumns& columns() const { return columns_; }
    std::int64_t members() const { return network_.groups; }
    std::int64_t state() const { return columns_.width; }
    std::int64_t action() const { return network_.inputs() - columns_.width; }
    const std::vector<std::int32_t>& elites() const { return elites_; }
    // exp(log_var_min) and exp(-log_var_max) [S].
    const float* low() const { return low_.data(); }
    const float* high() const { return high_.data(); }

    // The inputs of a member: [s, a] normalised. Subtracting first keeps the digits of a mean that
    // is large beside its deviation, which a first layer with both folded into it would lose.
    void inputs(const float* state, const float* action, float* out) const;

    // Makes quaternions of a state have length 1, and truth values be 0 or 1.
    void repair(float* state) const;
    // Cuts a state where it is far, 25 deviations, from the mean; a NaN stays.
    void keep_near(float* state) const;

  private:
    Network network_;
    StateColumns columns_;
    ForwardPanels panels_;
    std::vector<float> mean_;
    std::vector<float> inverse_std_;
    std::vector<float> low_;
    std::vector<float> high_;
    std::vector<std::int32_t> elites_;
};

struct ActorArrays {
    const float* flat = nullptr;  // of the network
    const float* mean = nullptr;  // [O], and 1 / standard deviation, of observations
    const float* inverse_std = nullptr;
    float clip = 0.0F;       // of normalised observations
    std::vector<float> std;  // [A] of its actions; empty: the mean is taken
};

// A left-right mirror: x[index] * sign. Rows whose observation is below 0 in column `clock` are
// acted on as their mirror images are, and the action is mirrored back.
struct ActorMirror {
    std::int64_t clock = -1;  // -1: none is mirrored
    std::vector<std::int64_t> observation_index;
    std::vector<float> observation_sign;
    std::vector<std::int64_t> action_index;
    std::vector<float> action_sign;
};

// A network that gives actions for observations; where squashed, the tanh of its first A outputs.
class Actor {
  public:
    // Throws std::invalid_argument naming what does not fit.
    Actor(const Network& network, const ActorArrays& arrays, std::int64_t actions, float squashed,
          const ActorMirror& mirror = {});

    const Network& network() const { return network_; }
    const ForwardPanels& panels() const { return panels_; }
    std::int64_t actions() const { return actions_; }
    const std::vector<float>& std() const { return std_; }
    float squashed() const { return squashed_; }
    const ActorMirror& mirror() const { return mirror_; }
    // Whether an observation is seen as its mirror image.
    bool turned(const float* observation) const {
        return mirror_.clock >= 0 && observation[mirror_.clock] < 0.0F;
    }

    void inputs(const float* observation, float* out) const;

  private:
    Network network_;
    ForwardPanels panels_;
    std::vector<float> mean_;
    std::vector<float> inverse_std_;
    std::vector<float> std_;
    std::int64_t actions_;
    float clip_;
    float squashed_;  // what the tanh is multiplied by, 0: none is taken
    ActorMirror mirror_;
};

}  // namespace embody
