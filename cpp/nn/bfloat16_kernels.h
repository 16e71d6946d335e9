// The table of bfloat16 kernels of the SIMD level in use. All levels give the same bits but for
// sums below the least normal number, which processors with bfloat16 units take for zeros.
#pragma once

#include <cstdint>

#include "nn/kernels.h"

namespace embody {

// Sums [rows, columns] of a[rows, depth] b[depth, columns] upon what they start with; columns are a
// multiple of kLine. Two neighbours of the depth are a word (bfloat16.h); a sum takes the second
// one's product before the first one's, and is rounded to float32 after each.
struct Bfloat16Product {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t pairs = 0;  // half of the depth
    const std::uint32_t* a = nullptr;
    std::int64_t a_row = 0;            // words between rows of a
    const std::uint32_t* b = nullptr;  // packed in panels
    const float* start = nullptr;
    std::int64_t start_row = 0;  // floats between rows of start, 0: all rows start with the same
    float* c = nullptr;          // the sums, unless there is a next layer
    std::int64_t c_row = 0;
    std::uint32_t* next = nullptr;  // activation(sums), rounded, as the next product's a; or null
    std::int64_t next_row = 0;
    Activation activation = Activation::elu;
};

struct Bfloat16Kernels {
    // Columns of a panel: a packed b holds [pairs, panel] words for each panel, the last one
    // [pairs, rest].
    std::int64_t panel = 0;
    void (*product)(const Bfloat16Product&) = nullptr;
    // to = the rows of x, rounded; columns are a multiple of kLine.
    void (*round)(std::int64_t rows, std::int64_t columns, std::int64_t stride, const float* x,
                  std::uint32_t* to, std::int64_t to_row) = nullptr;
};

const Bfloat16Kernels& bfloat16_kernels();

// Whether the processor itself multiplies such numbers at the level in use.
bool has_bfloat16_units();

}  // namespace embody
