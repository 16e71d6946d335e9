// The table of rollout kernels of the SIMD level in use.
#pragma once

#include <cstdint>

#include "returns/gae.h"

namespace embody {

// Gates that only withhold, back in time, per cell.
struct Withholding {
    const float* most = nullptr;  // a reward above it is not paid
    float* best = nullptr;        // or null: the highest reward so far
    double* lost = nullptr;       // the sum of what was not paid
};

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
    Withholding gate;  // read by gae_gated
};

// The same with the ends as they come, a byte a row; gamma, trace, carry and the gate per cell.
struct GaeRows {
    GaeStep step;
    const std::uint8_t* terminated = nullptr;
    const std::uint8_t* truncated = nullptr;
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

// What a channel's gate does, per cell.
inline constexpr std::uint32_t kGateSum = 1;
inline constexpr std::uint32_t kGateMax = 2;
inline constexpr std::uint32_t kGateLast = 4;
inline constexpr std::uint32_t kGateMask = 8;
inline constexpr std::uint32_t kGateCap = 16;
inline constexpr std::uint32_t kGateGated = 32;
inline constexpr std::uint32_t kGateMean = 64;

// One step of neighbouring environments, upwards in time.
struct GateTake {
    std::int64_t cells = 0;
    const float* rewards = nullptr;
    const std::uint32_t* flags = nullptr;
    const double* cap = nullptr;
    double* measure = nullptr;
    double* positive = nullptr;
    double* waiting = nullptr;  // what the last step may pay
    float* gated = nullptr;
};

// The same as GateTake on the way back.
struct GatePay {
    std::int64_t cells = 0;
    const float* source = nullptr;
    const std::uint32_t* flags = nullptr;
    const std::uint32_t* pays = nullptr;  // 0: what waits is lost
    const float* length = nullptr;        // of the episode, where a channel pays the mean
    double* lost = nullptr;               // or null: the sum of what waits and is lost
    float* out = nullptr;
};

struct ReturnKernels {
    using Take = void (*)(const GateTake&);
    using Pay = void (*)(const GatePay&);

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
    void (*lambda)(const GaeStep&) = nullptr;
    // Kernels for gates with and without caps, held pay, and pay that is written.
    Take (*take)(bool capped, bool held, bool written) = nullptr;
    Pay (*pay)(bool shared, bool lost) = nullptr;
    void (*gae_gated)(const GaeStep&) = nullptr;
    // The first rows of a step, as many as fill whole vectors, with or without a gate; gives back
    // how many cells that were.
    std::int64_t (*gae_rows)(std::int64_t channels, const GaeRows&) = nullptr;
};

const ReturnKernels& return_kernels();

}  // namespace embody
