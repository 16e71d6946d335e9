#include "nn/bfloat16_panels.h"

#include <algorithm>

#include "nn/bfloat16_kernels.h"

namespace embody {
namespace {

std::int64_t layer_words(const Layer& layer) { return pairs_of(layer.in) * padded(layer.out); }

std::int64_t group_words(const Network& network) {
    std::int64_t words = 0;
    for (const Layer& layer : network.layers) {
        words += layer_words(layer);
    }
    return words;
}

std::int64_t group_biases(const Network& network) {
    std::int64_t count = 0;
    for (const Layer& layer : network.layers) {
        count += padded(layer.out);
    }
    return count;
}

// Panels of the weights x[in, out], two rows in a word.
void pack_pairs(const float* x, const Layer& layer, std::uint32_t* out) {
    const std::int64_t panel = bfloat16_kernels().panel;
    const std::int64_t pairs = pairs_of(layer.in);
    for (std::int64_t column = 0; column < layer.out; column += panel) {
        const std::int64_t width = std::min(panel, padded(layer.out) - column);
        const std::int64_t real = std::min(width, layer.out - column);
        for (std::int64_t k = 0; k < pairs; ++k) {
            const float* first = x + 2 * k * layer.out + column;
            const bool whole = 2 * k + 1 < layer.in;
            std::uint32_t* row = out + column * pairs + k * width;
            for (std::int64_t c = 0; c < real; ++c) {
                row[c] = bfloat16_pair(first[c], whole ? first[layer.out + c] : 0.0F);
            }
        }
    }
}

}  // namespace

Bfloat16Panels::Bfloat16Panels(const Network& network, const float* flat)
    : group_words_(group_words(network)),
      group_biases_(group_biases(network)),
      words_(group_words_ * network.groups),
      biases_(group_biases_ * network.groups) {
    Place at;
    for (const Layer& layer : network.layers) {
        for (std::int64_t g = 0; g < network.groups; ++g) {
            const float* from = flat + g * network.group_stride;
            pack_pairs(from + layer.weights, layer, words_.data() + g * group_words_ + at.weights);
            std::copy_n(from + layer.biases, layer.out,
                        biases_.data() + g * group_biases_ + at.biases);
        }
        places_.push_back(at);
        at.weights += layer_words(layer);
        at.biases += padded(layer.out);
    }
}

const std::uint32_t* Bfloat16Panels::weights(std::int64_t group, std::size_t layer) const {
    return words_.data() + group * group_words_ + places_[layer].weights;
}

const float* Bfloat16Panels::biases(std::int64_t group, std::size_t layer) const {
    return biases_.data() + group * group_biases_ + places_[layer].biases;
}

}  // namespace embody
