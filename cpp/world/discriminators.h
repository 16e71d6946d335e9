// The dynamics reward: how credible a transition is, by a history of discriminators that all vote.
// Paper: Luo et al., Reward-consistent dynamics models are strongly generalizable for offline
// reinforcement learning (2024).
#pragma once

#include <cstdint>
#include <vector>

#include "nn/forward.h"
#include "nn/network.h"

namespace embody {

struct DiscriminatorArrays {
    const float* flat = nullptr;  // of the networks
    const float* mean = nullptr;  // [S + A + S], and 1 / standard deviation, of [s, a, s' - s]
    const float* inverse_std = nullptr;
    const float* data = nullptr;  // [G], mean logits of data, and of what was made up
    const float* made = nullptr;
    float clip = 1.0F;  // of a vote
};

// G networks that give one logit each for a normalised [s, a, s' - s]; immutable. Their first layer
// is kept in two parts, as that of [s, a] is the same for all candidates of a row.
class Discriminators {
  public:
    // Throws std::invalid_argument naming what does not fit.
    Discriminators(const Network& network, std::int64_t state, const DiscriminatorArrays& arrays);

    // From [s, a] to the first layer's sums; from these and s' - s to the logit.
    const Network& head() const { return head_; }
    const Network& tail() const { return tail_; }
    const ForwardPanels& head_panels() const { return head_panels_; }
    const ForwardPanels& tail_panels() const { return tail_panels_; }
    std::int64_t count() const { return head_.groups; }
    std::int64_t state() const { return state_; }
    std::int64_t action() const { return head_.inputs() - state_; }
    double nanoseconds(std::int64_t candidates) const;  // of a row, on one thread, about

    // Normalised [s, a], and s' - s.
    void before(const float* state, const float* action, float* out) const;
    void change(const float* state, const float* next, float* out) const;

    // A logit placed between what its discriminator gave to made-up transitions and to data, on the
    // scale on which all vote.
    float place(std::int64_t discriminator, float logit) const;

    // -log(1 - mean of the votes), votes being sigmoids of the places.
    float reward(const float* votes) const;

  private:
    std::int64_t state_;
    Network head_;
    Network tail_;
    ForwardPanels head_panels_;
    ForwardPanels tail_panels_;
    std::vector<float> mean_;
    std::vector<float> inverse_std_;
    std::vector<float> low_;  // [G], of logits
    std::vector<float> high_;
    std::vector<float> scale_;
    float radius_ = 0.0F;
    float clip_;
};

}  // namespace embody
