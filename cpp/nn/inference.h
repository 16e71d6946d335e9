// Outputs of a network for many rows, or for the single row of a control loop.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/network.h"
#include "nn/panels.h"
#include "nn/pass.h"

namespace embody {

class Inference {
  public:
    // `size`: floats of the flat parameters. Throws std::invalid_argument for an illegal network.
    Inference(const Network& network, std::int64_t size, int threads);

    const Network& network() const { return network_; }

    // Copies the network's own parameters out of the flat ones; forward uses this copy.
    void load(const float* flat);

    // From now on forward sees each row as (row - mean) * inverse_std, within +-clip; [inputs]
    // each.
    void normalise(const float* mean, const float* inverse_std, float clip);

    // out[n, groups * outputs] for rows[n, inputs]; the same bits for any number of threads.
    void forward(const float* rows, std::int64_t n, float* out);

  private:
    Rows seen(const float* rows, std::int64_t count, std::size_t thread) const;

    Network network_;
    int threads_;
    Panels panels_;
    std::vector<Pass> passes_;  // one a thread
    std::vector<float> mean_;   // empty: rows are seen as they are
    std::vector<float> inverse_std_;
    float clip_ = 0.0F;
    std::vector<Buffer> seen_;  // normalised rows, one a thread
};

}  // namespace embody
