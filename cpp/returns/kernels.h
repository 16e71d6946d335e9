// The table of rollout kernels of the SIMD level in use.
#pragma once

#include <cstdint>

#include "returns/gae.h"

namespace embody {

// One stretch of environments of one step, flattened to n * C cells.
struct GaeStep {
    std::int64_t cells = 0;
    const float* rewards = nullptr;
    const float* values = nullptr;
    const float* next_values = nullptr;
    const std::uint32_t* ended = nullptr;  // per cell: 0, kTerminated and kTruncated bits
    const float* gamma = nullptr;          // per cell
    const float* trace = nullptr;          // per cell: gamma * lam
    float* carry = nullptr;                // per cell: the advantage or return of the step after
    float* advantages = nullptr;
    float* returns = nullptr;
};

inline constexpr std::uint32_t kTerminated = 1;
inline constexpr std::uint32_t kTruncated = 2;
// The ends of neighbouring rows, to be repeated for every channel.
struct EndedRows {
    std::int64_t rows = 0;
    const std::uint8_t* terminated = nullptr;
    const std::uint8_t* truncated = nullptr;
    std::uint32_t always = 0;
    std::uint32_t* cells = nullptr;  // [rows, C], out
};

struct WeightedRows {
    std::int64_t rows = 0;
    const float* advantages = nullptr;  // [rows, C]
    const float* weights = nullptr;     // [C]
    float* out = nullptr;               // [rows]
};

struct ReturnKernels {
    void (*spread)(std::int64_t channels, const EndedRows&) = nullptr;
    void (*gae)(const GaeStep&) = nullptr;
    void (*discount)(const GaeStep&) = nullptr;
    void (*weigh)(std::int64_t channels, const WeightedRows&) = nullptr;
    // Sums and counts of the finite cells, then sums of squares about `centre`, each over lane =
    // cell mod lanes.
    void (*sums)(const float* x, std::int64_t cells, std::int64_t lanes, double* total,
                 double* count) = nullptr;
    void (*squares)(const float* x, std::int64_t cells, std::int64_t lanes, const double* centre,
                    double* total) = nullptr;
    // x = (x - centre) / divisor, or 0 where x is not finite.
    void (*standardise)(float* x, std::int64_t cells, std::int64_t lanes, const double* centre,
                        const double* divisor) = nullptr;
};

const ReturnKernels& return_kernels();

}  // namespace embody
