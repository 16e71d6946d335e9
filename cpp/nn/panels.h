// A network's parameters in the order in which the products read them.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/network.h"

namespace embody {

// What the products of a way back need: nothing, what reaches all parameters, or the inputs as
// well.
enum class Back : std::uint8_t { none, parameters, inputs };

class Panels {
  public:
    explicit Panels(const Network& network);

    // Reads the flat parameters; the transposed panels as far as `back` needs them.
    void pack(const float* flat, Back back);

    // [in, padded out], [padded out] and the transpose [out, padded in], each in panels and padded
    // with zeros.
    const float* weights(std::int64_t group, std::size_t layer) const;
    const float* biases(std::int64_t group, std::size_t layer) const;
    const float* transposed(std::int64_t group, std::size_t layer) const;
    // Of a layer norm, [padded out] each.
    const float* gains(std::int64_t group, std::size_t layer) const;
    const float* shifts(std::int64_t group, std::size_t layer) const;

  private:
    const float* at(std::int64_t group, std::int64_t place) const;

    struct Place {
        std::int64_t weights = 0;
        std::int64_t biases = 0;
        std::int64_t transposed = 0;
        std::int64_t norm = 0;
    };

    Network network_;
    std::vector<Place> places_;  // in one group's memory
    std::int64_t group_size_ = 0;
    Buffer memory_;
};

}  // namespace embody
