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

    // out[n, groups * outputs] for rows[n, inputs]; the same bits for any number of threads.
    void forward(const float* rows, std::int64_t n, float* out);

  private:
    Network network_;
    int threads_;
    Panels panels_;
    std::vector<Pass> passes_;  // one a thread
};

}  // namespace embody
