// One thread's part of soft actor-critic: actions, values and gradients of a block of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/panels.h"
#include "nn/pass.h"
#include "nn/sac.h"

namespace embody {

class SacWorker {
  public:
    explicit SacWorker(const SacNetworks& networks);

    // Acts on rows [first, first + count): fills the critics' inputs and the log probabilities.
    void act(const Panels& actor, const SacRows& rows, std::int64_t first, std::int64_t count);

    // The least value of channel c's twins, of the rows that acted last; which one it is is kept.
    void least(const Panels& critics, std::int64_t channel, std::int64_t count, float* q);

    // Adds weight * d(least value) / d(action) of the channel that `least` saw last.
    void back_channel(const Panels& critics, std::int64_t channel, std::int64_t count,
                      float weight);

    // From the gradient of the actions to that of the actor, with temperature * log pi added; both
    // are times `share`. Clears the gradient of the actions.
    void back_actor(const Panels& actor, const GradientLayout& layout, const SacRows& rows,
                    std::int64_t first, std::int64_t count, float temperature, float share,
                    float* gradient);

    const float* log_probs() const { return log_probs_.data(); }
    float* values() { return values_.data(); }  // scratch for a row each

  private:
    float squash_row(const float* outputs, const float* noise, float* action) const;
    void back_row(std::int64_t row, const float* noise, float temperature, float share);
    float log_std(float raw) const;

    const SacNetworks& networks_;
    Pass actor_;
    std::vector<Pass> critics_;  // one a twin
    Buffer observations_;
    Buffer critic_inputs_;
    Buffer input_delta_;  // as critic_inputs_
    Buffer outputs_;      // [rows, 2 A] of the actor
    Buffer log_probs_;
    Buffer values_;
    std::vector<std::int64_t> chosen_;  // twin of the least value
};

}  // namespace embody
