// The rows of a block that have not ended.
#pragma once

#include <cstdint>

namespace embody {

// Rows 0 to count - 1 of a block.
struct LiveRows {
    std::int64_t count = 0;
    const std::uint32_t* ids = nullptr;
    const float* state = nullptr;   // [R, S]
    const float* action = nullptr;  // [R, A]
    float* next = nullptr;          // [R, S]
    std::int8_t* member = nullptr;  // [R]
    float* penalty = nullptr;       // [R]
    float* credible = nullptr;      // [R], the dynamics reward
};

}  // namespace embody
