// A network's parameters in the order in which the products read them.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/network.h"

namespace embody {

class Panels {
  public:
    explicit Panels(const Network& network);

    // Reads the flat parameters; `backward` also fills the transposed panels.
    void pack(const float* flat, bool backward);

    // [in, padded out], [padded out] and the transpose [out, padded in], each in panels and padded
    // with zeros.
    const float* weights(std::int64_t group, std::size_t layer) const;
    const float* biases(std::int64_t group, std::size_t layer) const;
    const float* transposed(std::int64_t group, std::size_t layer) const;

  private:
    struct Place {
        std::int64_t weights = 0;
        std::int64_t biases = 0;
        std::int64_t transposed = 0;
    };

    Network network_;
    std::vector<Place> places_;  // in one group's memory
    std::int64_t group_size_ = 0;
    Buffer memory_;
};

}  // namespace embody
