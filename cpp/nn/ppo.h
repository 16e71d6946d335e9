// The gradient of PPO's loss over one minibatch, in one pass over its rows. Paper: Schulman et al.,
// Proximal policy optimization algorithms (2017).
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/network.h"
#include "nn/panels.h"
#include "nn/slices.h"

namespace embody {

// What one iteration collected. Rows of A actions and C channels; `index` picks the minibatch.
struct PpoBatch {
    const float* observations = nullptr;         // [B, O]
    const float* critic_observations = nullptr;  // [B, Oc]
    const float* actions = nullptr;              // [B, A]
    const float* mean = nullptr;                 // [B, A], of the policy that acted
    const float* log_probs = nullptr;            // [B], of the policy that acted
    const float* advantages = nullptr;           // [B]
    const float* targets = nullptr;              // [B, C], in the critics' units
    const float* log_std = nullptr;              // [A], of the policy that acted
    const std::int64_t* index = nullptr;         // [M]
    std::int64_t count = 0;                      // M
};

struct PpoSettings {
    float clip = 0.2F;
    float log_ratio_clip = 20.0F;
    float entropy = 0.0F;
    float value_weight = 1.0F;
};

struct PpoNetworks {
    Network actor;   // one group
    Network critic;  // C groups of one output, or one group of C outputs
    std::int64_t log_std = 0;
    std::int64_t parameters = 0;  // floats of the flat array
};

class PpoPolicy;
class PpoWorker;

class PpoGradient {
  public:
    // Throws std::invalid_argument for illegal networks.
    PpoGradient(const PpoNetworks& networks, int threads);
    ~PpoGradient();
    PpoGradient(const PpoGradient&) = delete;
    PpoGradient& operator=(const PpoGradient&) = delete;

    const PpoNetworks& networks() const { return networks_; }
    std::int64_t channels() const { return networks_.critic.groups * networks_.critic.outputs(); }

    // The loss is policy loss - entropy weight * entropy + value weight * sum of value losses.
    // message[parameters + 2 + C]: its gradient laid out like the parameters (what lies between
    // them is left alone), then KL(old || new), policy loss and value losses. The same bits for any
    // number of threads.
    void run(const float* flat, const PpoBatch& batch, const PpoSettings& settings, float* message);

  private:
    void finish(std::int64_t slices, const PpoPolicy& policy, float* message);

    PpoNetworks networks_;
    Slices slices_;  // of the actor, then of the critics
    Panels actor_panels_;
    Panels critic_panels_;
    std::vector<double> sums_;  // [slices, sums]: KL, policy loss, value losses, log std's gradient
    Buffer inverse_;            // [A], 1 / std
    std::vector<PpoWorker> workers_;  // one a thread
};

}  // namespace embody
