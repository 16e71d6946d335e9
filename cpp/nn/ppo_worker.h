// One thread's part of PPO's gradient: losses and their gradients of a block of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/pass.h"
#include "nn/ppo.h"

namespace embody {

// Sums over the rows of a slice, in double.
class PpoSums {
  public:
    PpoSums(const PpoNetworks& networks, double* data)
        : data_(data), size_(size(networks)), actions_(networks.actor.outputs()) {}

    // A whole number of cache lines, so that threads do not write to the same one.
    static std::int64_t size(const PpoNetworks& networks);

    double& divergence() { return data_[0]; }
    double& surrogate() { return data_[1]; }
    double* log_std() { return data_ + 2; }            // [A], the gradient
    double* values() { return data_ + 2 + actions_; }  // [C]
    void clear();
    void add(const PpoSums& other);

  private:
    double* data_;
    std::int64_t size_;
    std::int64_t actions_;
};

// What all rows of a minibatch share. `inverse` is memory for [A] floats.
class PpoPolicy {
  public:
    PpoPolicy(const PpoNetworks& networks, const float* flat, const PpoBatch& batch,
              const PpoSettings& settings, float* inverse);

    // Adds one row's terms to the sums and writes the gradient of its mean actions.
    void actor_row(std::int64_t row, const float* mean, float* delta, PpoSums& sums) const;
    // The same for the outputs of one group of critics.
    void critic_row(std::int64_t row, std::int64_t group, const float* values, float* delta,
                    PpoSums& sums) const;
    // Means over the minibatch: the gradient of log_std [A], and KL, policy loss, value losses.
    void finish(PpoSums& sums, float* log_std, float* statistics) const;

    const PpoBatch& batch() const { return batch_; }

  private:
    const PpoNetworks& networks_;
    const PpoBatch& batch_;
    const PpoSettings& settings_;
    const float* log_std_;
    const float* inverse_;   // 1 / std, per action
    float share_;            // 1 / M
    float constant_ = 0.0F;  // of the log probability
};

class PpoWorker {
  public:
    explicit PpoWorker(const PpoNetworks& networks);

    // Rows [first, first + count) of the minibatch: adds their gradient and sums.
    void actor(const PpoPolicy& policy, const Panels& panels, const GradientLayout& layout,
               std::int64_t first, std::int64_t count, float* gradient, PpoSums& sums);
    void critics(const PpoPolicy& policy, const Panels& panels, const GradientLayout& layout,
                 std::int64_t first, std::int64_t count, float* gradient, PpoSums& sums);

  private:
    Rows gather(const PpoBatch& batch, const float* rows, std::int64_t width, std::int64_t first,
                std::int64_t count, Buffer& to) const;

    const PpoNetworks& networks_;
    Pass actor_;
    Pass critic_;
    Buffer observations_;
    Buffer critic_observations_;
};

}  // namespace embody
