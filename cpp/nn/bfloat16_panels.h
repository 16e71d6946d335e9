// A network's parameters as bfloat16 products read them.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/bfloat16.h"
#include "nn/network.h"

namespace embody {

class Bfloat16Panels {
  public:
    // Rounds the flat parameters' weights; biases stay float32.
    Bfloat16Panels(const Network& network, const float* flat);

    // Words [pairs of in, padded out] in panels, and [padded out]; padded with zeros.
    const std::uint32_t* weights(std::int64_t group, std::size_t layer) const;
    const float* biases(std::int64_t group, std::size_t layer) const;

  private:
    struct Place {
        std::int64_t weights = 0;
        std::int64_t biases = 0;
    };

    std::vector<Place> places_;  // in one group's memory
    std::int64_t group_words_ = 0;
    std::int64_t group_biases_ = 0;
    PairBuffer words_;
    Buffer biases_;
};

}  // namespace embody
