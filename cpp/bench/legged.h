// The limit of `bench reward`: the twelve legged terms written by hand for this one reward.
#pragma once

#include <cstdint>

namespace embody {

struct LeggedRows {
    const float* rows = nullptr;     // [N, 100]: see pyembody/bench/reward
    const float* joints = nullptr;   // [3, 12]: lower, upper and default position
    const float* weights = nullptr;  // [12], times dt already
    float dt = 0;
    float* raw = nullptr;       // [N, 12]
    float* weighted = nullptr;  // [N, 12]
    float* total = nullptr;     // [N]
};

// Writes raw terms, weighted terms and their sum for n rows.
void legged_terms(const LeggedRows& arrays, std::int64_t n, int threads);

}  // namespace embody
