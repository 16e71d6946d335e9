// Forward passes of one group over one block of rows in bfloat16: inputs, hidden outputs and
// weights are rounded, sums, biases and activations are float32.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/bfloat16.h"
#include "nn/bfloat16_panels.h"
#include "nn/network.h"
#include "nn/pass.h"

namespace embody {

// The memory of one thread: the inputs of every layer, and the outputs.
class Bfloat16Pass {
  public:
    // Throws std::invalid_argument for layer norms.
    explicit Bfloat16Pass(const Network& network);

    // As Pass::forward, for inputs padded with zeros up to a multiple of kLine.
    Rows forward(const Bfloat16Panels& panels, std::int64_t group, std::int64_t rows, Rows inputs,
                 Rows begun = {});

  private:
    Network network_;
    std::vector<PairBuffer> inputs_;
    Buffer outputs_;
};

}  // namespace embody
