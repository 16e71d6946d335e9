#include "nn/panels.h"

#include <algorithm>

#include "nn/kernels.h"

namespace embody {
namespace {

std::int64_t group_floats(const Network& network) {
    std::int64_t size = 0;
    for (const Layer& layer : network.layers) {
        size += (layer.in + 1) * padded(layer.out) + layer.out * padded(layer.in);
        size += layer.normalised() ? 2 * padded(layer.out) : 0;
    }
    return size;
}

// Panels of the rows x[depth, columns].
void pack_rows(const float* x, std::int64_t depth, std::int64_t columns, float* out) {
    const std::int64_t panel = network_kernels().panel;
    for (std::int64_t column = 0; column < columns; column += panel) {
        const std::int64_t width = std::min(panel, padded(columns) - column);
        const std::int64_t real = std::min(width, columns - column);
        for (std::int64_t k = 0; k < depth; ++k) {
            std::copy_n(x + k * columns + column, real, out + column * depth + k * width);
        }
    }
}

// Panels of the transpose of x[columns, depth].
void pack_transposed(const float* x, std::int64_t depth, std::int64_t columns, float* out) {
    const std::int64_t panel = network_kernels().panel;
    for (std::int64_t column = 0; column < columns; column += panel) {
        const std::int64_t width = std::min(panel, padded(columns) - column);
        const std::int64_t real = std::min(width, columns - column);
        for (std::int64_t k = 0; k < depth; ++k) {
            float* row = out + column * depth + k * width;
            for (std::int64_t c = 0; c < real; ++c) {
                row[c] = x[(column + c) * depth + k];
            }
        }
    }
}

}  // namespace

Panels::Panels(const Network& network)
    : network_(network), group_size_(group_floats(network)), memory_(group_size_ * network.groups) {
    std::int64_t at = 0;
    for (const Layer& layer : network.layers) {
        Place place;
        place.weights = at;
        place.biases = place.weights + layer.in * padded(layer.out);
        place.transposed = place.biases + padded(layer.out);
        place.norm = place.transposed + layer.out * padded(layer.in);
        at = place.norm + (layer.normalised() ? 2 * padded(layer.out) : 0);
        places_.push_back(place);
    }
}

void Panels::pack(const float* flat, Back back) {
    for (std::int64_t g = 0; g < network_.groups; ++g) {
        float* own = memory_.data() + g * group_size_;
        const float* from = flat + g * network_.group_stride;
        for (std::size_t i = 0; i < places_.size(); ++i) {
            const Layer& layer = network_.layers[i];
            pack_rows(from + layer.weights, layer.in, layer.out, own + places_[i].weights);
            std::copy_n(from + layer.biases, layer.out, own + places_[i].biases);
            if (layer.normalised()) {
                float* norm = own + places_[i].norm;
                std::copy_n(from + layer.gains, layer.out, norm);
                std::copy_n(from + layer.shifts, layer.out, norm + padded(layer.out));
            }
            if (back == Back::inputs || (back == Back::parameters && i > 0)) {
                pack_transposed(from + layer.weights, layer.out, layer.in,
                                own + places_[i].transposed);
            }
        }
    }
}

const float* Panels::at(std::int64_t group, std::int64_t place) const {
    return memory_.data() + group * group_size_ + place;
}

const float* Panels::weights(std::int64_t group, std::size_t layer) const {
    return at(group, places_[layer].weights);
}

const float* Panels::biases(std::int64_t group, std::size_t layer) const {
    return at(group, places_[layer].biases);
}

const float* Panels::transposed(std::int64_t group, std::size_t layer) const {
    return at(group, places_[layer].transposed);
}

const float* Panels::gains(std::int64_t group, std::size_t layer) const {
    return at(group, places_[layer].norm);
}

const float* Panels::shifts(std::int64_t group, std::size_t layer) const {
    return gains(group, layer) + padded(network_.layers[layer].out);
}

}  // namespace embody
