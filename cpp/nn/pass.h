// Forward and backward passes of one group over one block of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/network.h"
#include "nn/panels.h"

namespace embody {

inline constexpr std::int64_t kBlockRows = 96;  // a multiple of every level's tile of rows

// Rows `stride` floats apart.
struct Rows {
    const float* data = nullptr;
    std::int64_t stride = 0;
};

// Where one group's gradient lies while it is summed: each layer's weights [in, padded out], or
// their transpose [out, padded in] where that has fewer floats, then its biases [padded out] and
// the gains and shifts [padded out] of its norm.
class GradientLayout {
  public:
    explicit GradientLayout(const Network& network);

    std::int64_t weights(std::size_t layer) const { return places_[layer].weights; }
    std::int64_t biases(std::size_t layer) const { return places_[layer].biases; }
    std::int64_t gains(std::size_t layer) const { return places_[layer].gains; }
    bool transposed(std::size_t layer) const { return places_[layer].transposed; }
    std::int64_t size() const { return size_; }

  private:
    struct Place {
        std::int64_t weights = 0;
        std::int64_t biases = 0;
        std::int64_t gains = 0;
        bool transposed = false;
    };
    std::vector<Place> places_;
    std::int64_t size_ = 0;
};

// The memory of one thread: outputs of every layer, and slopes that become deltas on the way back.
class Pass {
  public:
    // `slopes` false: forward passes only.
    Pass(const Network& network, bool slopes);

    // Returns the last layer's outputs; `rows` at most kBlockRows. Inputs are padded with zeros up
    // to a multiple of kLine if backward is to follow. With `begun` the first layer's sums begin
    // with those rows in place of its biases.
    Rows forward(const Panels& panels, std::int64_t group, std::int64_t rows, Rows inputs,
                 Rows begun = {});

    // Where the caller writes the gradient of the outputs, padding included, before backward.
    float* output_delta() const { return slopes_.back().data(); }

    // Adds the gradient of the rows that forward saw last to `gradient` (a GradientLayout).
    void backward(const Panels& panels, const GradientLayout& layout, std::int64_t group,
                  std::int64_t rows, Rows inputs, float* gradient) const;

    // Adds the gradient of those rows' inputs to `delta` [rows, padded inputs], rows `stride`
    // floats apart; that of the parameters is not computed.
    void backward_inputs(const Panels& panels, std::int64_t group, std::int64_t rows, float* delta,
                         std::int64_t stride) const;

  private:
    Rows layer_inputs(std::size_t layer, Rows inputs) const;
    void normalise(const Panels& panels, std::int64_t group, std::size_t layer, std::int64_t rows);
    // From the gradient of a layer's activation inputs to that of its product.
    void back_norm(const Panels& panels, std::int64_t group, std::size_t layer, std::int64_t rows,
                   float* gain_sum) const;
    void back_parameters(const GradientLayout& layout, std::size_t layer, std::int64_t rows,
                         Rows inputs, float* gradient) const;
    void back_hidden(const Panels& panels, std::int64_t group, std::size_t layer,
                     std::int64_t rows) const;

    Network network_;
    std::vector<Buffer> outputs_;
    std::vector<Buffer> slopes_;
    std::vector<Buffer> hats_;      // of layers with a norm, in order; empty ones of the others
    std::vector<Buffer> inverses_;  // [rows]
};

}  // namespace embody
