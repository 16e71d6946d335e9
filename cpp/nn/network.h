// What a group of equal multi-layer perceptrons looks like, and where its parameters lie in a flat
// array.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nn/kernels.h"

namespace embody {

// Weights [in, out] and biases [out] of group 0 start at these floats of the flat array, and so
// do gains [out] and shifts [out] of a layer norm between the product and the activation, if there
// is one.
struct Layer {
    std::int64_t in = 0;
    std::int64_t out = 0;
    std::int64_t weights = 0;
    std::int64_t biases = 0;
    std::int64_t gains = kNoNorm;
    std::int64_t shifts = kNoNorm;

    static constexpr std::int64_t kNoNorm = -1;
    bool normalised() const { return gains != kNoNorm; }
};

struct Network {
    std::int64_t groups = 1;
    std::int64_t group_stride = 0;  // floats from one group's parameters to the next one's
    Activation activation = Activation::elu;
    std::vector<Layer> layers;

    std::int64_t inputs() const { return layers.front().in; }
    std::int64_t outputs() const { return layers.back().out; }
    std::int64_t widest() const;         // of all layers' outputs
    std::int64_t multiply_adds() const;  // of one row's forward pass through all groups
    double nanoseconds() const;          // that it takes on one thread, about
};

// Throws std::invalid_argument unless layers follow each other and all parameters lie within
// [0, size).
void check_network(const Network& network, std::int64_t size);

// Throws std::invalid_argument naming the legal activations.
Activation activation_named(std::string_view name);

}  // namespace embody
