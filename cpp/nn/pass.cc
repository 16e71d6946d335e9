#include "nn/pass.h"

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
        size_ = place.biases + padded(layer.out);
        places_.push_back(place);
    }
}

Pass::Pass(const Network& network, bool slopes) : network_(network) {
    for (const Layer& layer : network.layers) {
        outputs_.emplace_back(kBlockRows * row_stride(layer.out));
        if (slopes) {
            slopes_.emplace_back(kBlockRows * row_stride(layer.out));
        }
    }
}

Rows Pass::layer_inputs(std::size_t layer, Rows inputs) const {
    if (layer == 0) {
        return inputs;
    }
    return {outputs_[layer - 1].data(), row_stride(network_.layers[layer].in)};
}

Rows Pass::forward(const Panels& panels, std::int64_t group, std::int64_t rows, Rows inputs) {
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
        network_kernels().product(p);
        if (i + 1 < network_.layers.size()) {
            network_kernels().activate(network_.activation, rows, p.columns, p.c_row, p.c,
                                       slopes_.empty() ? nullptr : slopes_[i].data());
        }
    }
    return {outputs_.back().data(), row_stride(network_.outputs())};
}

void Pass::backward(const Panels& panels, const GradientLayout& layout, std::int64_t group,
                    std::int64_t rows, Rows inputs, float* gradient) const {
    for (std::size_t i = network_.layers.size(); i-- > 0;) {
        const Layer& layer = network_.layers[i];
        const Rows from = layer_inputs(i, inputs);
        const Rows delta = {slopes_[i].data(), row_stride(layer.out)};
        const bool turned = layout.transposed(i);
        const Rows left = turned ? delta : from;
        const Rows right = turned ? from : delta;
        network_kernels().add_rows(rows, padded(layer.out), delta.stride, delta.data,
                                   gradient + layout.biases(i));
        Product p;  // dW += X^T D, or its transpose D^T X
        p.rows = turned ? layer.out : layer.in;
        p.columns = padded(turned ? layer.in : layer.out);
        p.depth = rows;
        p.a = left.data;
        p.a_row = 1;
        p.a_depth = left.stride;
        p.b = right.data;
        p.b_depth = right.stride;
        p.c = gradient + layout.weights(i);
        p.c_row = p.columns;
        p.into = Into::add;
        network_kernels().product(p);
        if (i == 0) {
            return;
        }
        Product back;  // the layer before: its slopes times D W^T
        back.rows = rows;
        back.columns = padded(layer.in);
        back.depth = layer.out;
        back.a = delta.data;
        back.a_row = delta.stride;
        back.a_depth = 1;
        back.b = panels.transposed(group, i);
        back.c = slopes_[i - 1].data();
        back.c_row = row_stride(layer.in);
        back.into = Into::multiply;
        network_kernels().product(back);
    }
}

}  // namespace embody
