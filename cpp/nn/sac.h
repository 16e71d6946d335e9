// Soft actor-critic over a whole minibatch: the critics' targets and the actor's gradient, for C
// reward channels of K critics each. The critics' own gradient is a squared or Huber regression.
// Paper: Haarnoja et al., Soft actor-critic algorithms and applications (2018).
#pragma once

#include <cstdint>
#include <vector>

#include "nn/network.h"
#include "nn/panels.h"
#include "nn/pass.h"
#include "nn/slices.h"

namespace embody {

struct SacNetworks {
    Network actor;   // one group; A means, then A raw log stds
    Network critic;  // K C groups of one output; inputs: observation, then action. Channel c's are
                     // the groups from c K on
    std::int64_t channels = 1;
    std::int64_t actor_parameters = 0;   // floats of the actor's flat array
    std::int64_t critic_parameters = 0;  // floats of the critics', and of the targets'
    // log std = low + (high - low) / 2 (tanh(raw) + 1)
    float low = -5.0F;
    float high = 2.0F;

    std::int64_t actions() const { return actor.outputs() / 2; }
    std::int64_t twins() const { return critic.groups / channels; }
    std::int64_t critic_observations() const { return critic.inputs() - actions(); }
};

// Rows that the actor acts on: action = tanh(mean + std noise).
struct SacRows {
    const float* observations = nullptr;         // [M, O]
    const float* critic_observations = nullptr;  // [M, Oc]
    const float* noise = nullptr;                // [M, A], standard normal
    std::int64_t count = 0;                      // M
};

class SacWorker;

class SacGradient {
  public:
    // Throws std::invalid_argument for illegal networks.
    SacGradient(const SacNetworks& networks, int threads);
    ~SacGradient();
    SacGradient(const SacGradient&) = delete;
    SacGradient& operator=(const SacGradient&) = delete;

    const SacNetworks& networks() const { return networks_; }

    // out[M, C] = rewards + discount * min over twins of Q, at the successors.
    void targets(const float* actor, const float* target_critics, const SacRows& successors,
                 const float* rewards, const float* discount, float* out);

    // The loss is the mean of temperature log pi - sum over channels of weight times the least
    // twin's Q. message[actor parameters + 2 + C]: its gradient with respect to the actor, then
    // loss, mean log pi and mean least Q. The same bits for any number of threads.
    void actor(const float* actor, const float* critics, const SacRows& rows, const float* weights,
               float temperature, float* message);

  private:
    void actor_block(const SacRows& rows, std::int64_t first, std::int64_t count,
                     const float* weights, float temperature, const Slice& slice,
                     SacWorker& worker);
    void finish(std::int64_t slices, std::int64_t rows, const float* weights, float temperature,
                float* statistics) const;

    SacNetworks networks_;
    Slices slices_;  // of the actor
    Panels actor_panels_;
    Panels critic_panels_;
    std::int64_t sums_size_;
    std::vector<double> sums_;  // [slices, sums]: log pi, least Q [C]
    std::vector<SacWorker> workers_;
};

// target += rate (source - target)
void polyak(std::int64_t count, float rate, const float* source, float* target);

}  // namespace embody
