#include "nn/bfloat16_pass.h"

#include "base/check.h"
#include "nn/bfloat16_kernels.h"

namespace embody {
namespace {

// Words between rows of a layer's inputs.
std::int64_t words_stride(const Layer& layer) { return row_stride(pairs_of(layer.in)); }

}  // namespace

Bfloat16Pass::Bfloat16Pass(const Network& network)
    : network_(network), outputs_(kBlockRows * row_stride(network.outputs())) {
    for (const Layer& layer : network.layers) {
        if (layer.normalised()) {
            fail("precision: expected networks without layer norms for bfloat16");
        }
        inputs_.emplace_back(kBlockRows * words_stride(layer));
    }
}

Rows Bfloat16Pass::forward(const Bfloat16Panels& panels, std::int64_t group, std::int64_t rows,
                           Rows inputs, Rows begun) {
    const Bfloat16Kernels& kernels = bfloat16_kernels();
    const std::int64_t stride = row_stride(network_.outputs());
    kernels.round(rows, padded(network_.inputs()), inputs.stride, inputs.data,
                  inputs_.front().data(), words_stride(network_.layers.front()));
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
        const Layer& layer = network_.layers[i];
        Bfloat16Product p;
        p.rows = rows;
        p.columns = padded(layer.out);
        p.pairs = pairs_of(layer.in);
        p.a = inputs_[i].data();
        p.a_row = words_stride(layer);
        p.b = panels.weights(group, i);
        p.start = panels.biases(group, i);
        if (i == 0 && begun.data != nullptr) {
            p.start = begun.data;
            p.start_row = begun.stride;
        }
        if (i + 1 < network_.layers.size()) {
            p.next = inputs_[i + 1].data();
            p.next_row = words_stride(network_.layers[i + 1]);
            p.activation = network_.activation;
        } else {
            p.c = outputs_.data();
            p.c_row = stride;
        }
        kernels.product(p);
    }
    return {outputs_.data(), stride};
}

}  // namespace embody
