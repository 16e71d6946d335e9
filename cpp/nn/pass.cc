#include "nn/pass.h"

#include <algorithm>

#include "nn/kernels.h"

namespace embody {

GradientLayout::GradientLayout(const Network& network) {
    for (const Layer& layer : network.layers) {
        Place place;
        const std::int64_t plain = layer.in * padded(layer.out);
        const std::int64_t turned = layer.out * padded(layer.in);
        place.transposed = turned < plain;
        place.weights = size_;
        place.biases = size_ + (place.transposed ? turned : plain);
        place.gains = place.biases + padded(layer.out);
        size_ = place.gains + (layer.normalised() ? 2 * padded(layer.out) : 0);
        places_.push_back(place);
    }
}

Pass::Pass(const Network& network, bool slopes) : network_(network) {
    for (const Layer& layer : network.layers) {
        outputs_.emplace_back(kBlockRows * row_stride(layer.out));
        if (slopes) {
            slopes_.emplace_back(kBlockRows * row_stride(layer.out));
            hats_.emplace_back(layer.normalised() ? kBlockRows * row_stride(layer.out) : 0);
            inverses_.emplace_back(layer.normalised() ? kBlockRows : 0);
        }
    }
}

Rows Pass::layer_inputs(std::size_t layer, Rows inputs) const {
    if (layer == 0) {
        return inputs;
    }
    return {outputs_[layer - 1].data(), row_stride(network_.layers[layer].in)};
}

Rows Pass::forward(const Panels& panels, std::int64_t group, std::int64_t rows, Rows inputs,
                   Rows begun) {
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
        const Layer& layer = network_.layers[i];
        const Rows from = layer_inputs(i, inputs);
        Product p;
        p.rows = rows;
        p.columns = padded(layer.out);
        p.depth = layer.in;
        p.a = from.data;
        p.a_row = from.stride;
        p.a_depth = 1;
        p.b = panels.weights(group, i);
        p.c = outputs_[i].data();
        p.c_row = row_stride(layer.out);
        p.bias = panels.biases(group, i);
        if (i == 0 && begun.data != nullptr) {
            p.into = Into::add;
            std::copy_n(begun.data, (rows - 1) * begun.stride + p.columns, p.c);
        }
        network_kernels().product(p);
        if (layer.normalised()) {
            normalise(panels, group, i, rows);
        }
        if (i + 1 < network_.layers.size()) {
            network_kernels().activate(network_.activation, rows, p.columns, p.c_row, p.c,
                                       slopes_.empty() ? nullptr : slopes_[i].data());
        }
    }
    return {outputs_.back().data(), row_stride(network_.outputs())};
}

void Pass::normalise(const Panels& panels, std::int64_t group, std::size_t layer,
                     std::int64_t rows) {
    LayerNorm n;
    n.rows = rows;
    n.columns = network_.layers[layer].out;
    n.stride = row_stride(n.columns);
    n.x = outputs_[layer].data();
    n.gain = panels.gains(group, layer);
    n.shift = panels.shifts(group, layer);
    if (!slopes_.empty()) {
        n.hat = hats_[layer].data();
        n.inverse = inverses_[layer].data();
    }
    network_kernels().layer_norm(n);
}

void Pass::back_norm(const Panels& panels, std::int64_t group, std::size_t layer, std::int64_t rows,
                     float* gain_sum) const {
    LayerNorm n;
    n.rows = rows;
    n.columns = network_.layers[layer].out;
    n.stride = row_stride(n.columns);
    n.x = slopes_[layer].data();
    n.hat = hats_[layer].data();
    n.inverse = inverses_[layer].data();
    n.gain = panels.gains(group, layer);
    if (gain_sum != nullptr) {
        n.gain_sum = gain_sum;
        n.shift_sum = gain_sum + padded(n.columns);
    }
    network_kernels().layer_norm_back(n);
}

void Pass::back_parameters(const GradientLayout& layout, std::size_t layer, std::int64_t rows,
                           Rows inputs, float* gradient) const {
    const Layer& shape = network_.layers[layer];
    const Rows from = layer_inputs(layer, inputs);
    const Rows delta = {slopes_[layer].data(), row_stride(shape.out)};
    const bool turned = layout.transposed(layer);
    const Rows left = turned ? delta : from;
    const Rows right = turned ? from : delta;
    network_kernels().add_rows(rows, padded(shape.out), delta.stride, delta.data,
                               gradient + layout.biases(layer));
    Product p;  // dW += X^T D, or its transpose D^T X
    p.rows = turned ? shape.out : shape.in;
    p.columns = padded(turned ? shape.in : shape.out);
    p.depth = rows;
    p.a = left.data;
    p.a_row = 1;
    p.a_depth = left.stride;
    p.b = right.data;
    p.b_depth = right.stride;
    p.c = gradient + layout.weights(layer);
    p.c_row = p.columns;
    p.into = Into::add;
    network_kernels().product(p);
}

namespace {

// D W^T of one layer.
Product product_back(const Layer& layer, const float* transposed, std::int64_t rows,
                     const float* delta) {
    Product p;
    p.rows = rows;
    p.columns = padded(layer.in);
    p.depth = layer.out;
    p.a = delta;
    p.a_row = row_stride(layer.out);
    p.a_depth = 1;
    p.b = transposed;
    return p;
}

}  // namespace

void Pass::back_hidden(const Panels& panels, std::int64_t group, std::size_t layer,
                       std::int64_t rows) const {
    const Layer& shape = network_.layers[layer];
    Product p = product_back(shape, panels.transposed(group, layer), rows, slopes_[layer].data());
    p.c = slopes_[layer - 1].data();  // the slopes of the layer before become its deltas
    p.c_row = row_stride(shape.in);
    p.into = Into::multiply;
    network_kernels().product(p);
}

void Pass::backward(const Panels& panels, const GradientLayout& layout, std::int64_t group,
                    std::int64_t rows, Rows inputs, float* gradient) const {
    for (std::size_t i = network_.layers.size(); i-- > 0;) {
        if (network_.layers[i].normalised()) {
            back_norm(panels, group, i, rows, gradient + layout.gains(i));
        }
        back_parameters(layout, i, rows, inputs, gradient);
        if (i > 0) {
            back_hidden(panels, group, i, rows);
        }
    }
}

void Pass::backward_inputs(const Panels& panels, std::int64_t group, std::int64_t rows,
                           float* delta, std::int64_t stride) const {
    for (std::size_t i = network_.layers.size(); i-- > 0;) {
        if (network_.layers[i].normalised()) {
            back_norm(panels, group, i, rows, nullptr);
        }
        if (i > 0) {
            back_hidden(panels, group, i, rows);
        }
    }
    Product p = product_back(network_.layers.front(), panels.transposed(group, 0), rows,
                             slopes_.front().data());
    p.c = delta;
    p.c_row = stride;
    p.into = Into::add;
    network_kernels().product(p);
}

}  // namespace embody
