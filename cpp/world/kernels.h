// The table of imagination's kernels of the SIMD level in use. All levels give the same bits.
#pragma once

#include <cstdint>

#include "base/philox.h"

namespace embody {

// What random numbers are for: the third word of their counter.
enum class Stream : std::uint32_t { member, state, action, choice };

// Columns of `count` numbers rounded up to whole draws of four.
constexpr std::int64_t drawn_columns(std::int64_t count) { return (count + 3) / 4 * 4; }

// Standard normal numbers [rows, drawn_columns(columns)]: of row r, columns 4 j to 4 j + 3 come
// from the counter (ids[r], step, stream, first + j) by Box and Muller's transform.
struct Normals {
    PhiloxKey key;
    Stream stream = Stream::state;
    std::uint32_t step = 0;
    const std::uint32_t* ids = nullptr;
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    float* out = nullptr;
    std::uint32_t first = 0;  // added to j
};

// out[rows, columns] = the variances that raw log variances, `stride` floats from row to row, stand
// for: softly kept within bounds, with low = exp(least log variance) and high = exp(-greatest),
// they are low + 1 / (high + exp(-raw)).
struct Variances {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    const float* raw = nullptr;
    std::int64_t stride = 0;
    const float* low = nullptr;
    const float* high = nullptr;
    float* out = nullptr;
};

struct WorldKernels {
    void (*normals)(const Normals&) = nullptr;
    void (*variances)(const Variances&) = nullptr;
};

const WorldKernels& world_kernels();

}  // namespace embody
