// The limit of `bench returns`: generalised advantage estimation and nothing else.
#pragma once

#include <cstdint>

namespace embody {

struct GaeLimit {
    std::int64_t steps = 0;
    std::int64_t environments = 0;
    std::int64_t channels = 0;  // 1 to 4
    const float* rewards = nullptr;
    const float* values = nullptr;
    const float* next_values = nullptr;
    const std::uint8_t* terminated = nullptr;
    const std::uint8_t* truncated = nullptr;
    float gamma = 0;  // of all channels
    float lam = 0;
    float* advantages = nullptr;
    float* returns = nullptr;
};

void gae_limit(const GaeLimit& arrays, int threads);

}  // namespace embody
