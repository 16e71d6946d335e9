// The table of network kernels of the SIMD level in use.
#pragma once

#include <cstdint>

namespace embody {

enum class Activation : std::uint8_t { tanh, relu, elu, silu };

enum class Into : std::uint8_t {
    bias,      // c = bias + a b
    add,       // c += a b
    multiply,  // c *= a b
};

// c[rows, columns] from a[rows, depth] b[depth, columns]. Rows and columns of c are contiguous;
// columns are a multiple of kLine. Sums run over the depth in order, with fused multiply-adds where
// the level has them.
struct Product {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t depth = 0;
    const float* a = nullptr;
    std::int64_t a_row = 0;    // floats between rows of a
    std::int64_t a_depth = 0;  // floats between steps of the depth in a
    const float* b = nullptr;
    std::int64_t b_depth = 0;  // floats between rows of b; 0: b is packed in panels
    float* c = nullptr;
    std::int64_t c_row = 0;
    Into into = Into::bias;
    const float* bias = nullptr;  // [columns], or null for zeros
};

// Layer norm of rows `stride` floats apart: x = gain * hat + shift with hat = (x - mean) * inverse
// and inverse = 1 / sqrt(variance + 1e-5), over `columns`; beyond them lie zeros up to a multiple
// of kLine. Paper: Ba, Kiros and Hinton, Layer normalization (2016).
struct LayerNorm {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t stride = 0;
    float* x = nullptr;        // on the way back the gradient of the result, then that of x
    float* hat = nullptr;      // kept for the way back, unless null
    float* inverse = nullptr;  // [rows], the same
    const float* gain = nullptr;
    const float* shift = nullptr;
    float* gain_sum = nullptr;  // their gradients are added here, unless null
    float* shift_sum = nullptr;
};

struct NetworkKernels {
    // Columns of a panel: a packed b holds [depth, panel] floats for each panel, the last one
    // [depth, rest].
    std::int64_t panel = 0;
    void (*product)(const Product&) = nullptr;
    // x = activation(x) and, unless null, slope = its derivative there; [rows, columns], rows
    // `stride` floats apart.
    void (*activate)(Activation, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                     float* x, float* slope) = nullptr;
    void (*layer_norm)(const LayerNorm&) = nullptr;
    void (*layer_norm_back)(const LayerNorm&) = nullptr;
    // sums[columns] += the rows of x.
    void (*add_rows)(std::int64_t rows, std::int64_t columns, std::int64_t stride, const float* x,
                     float* sums) = nullptr;
    // out[columns] = the sum of `parts` rows of x.
    void (*sum_parts)(std::int64_t parts, std::int64_t columns, std::int64_t stride, const float* x,
                      float* out) = nullptr;
    // Runs as many multiply-adds as it returns, per unit of `repeats`, on registers alone: the
    // speed of the processor that every product is measured by. `sink` keeps the results alive.
    std::int64_t (*multiply_adds)(std::int64_t repeats, float* sink) = nullptr;
};

const NetworkKernels& network_kernels();

}  // namespace embody
