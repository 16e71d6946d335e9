// One advantage for each rollout of a group that started in the same state.
#pragma once

#include <cstdint>

namespace embody {

struct GroupRewards {
    std::int64_t groups = 0;          // B
    std::int64_t members = 0;         // G
    std::int64_t channels = 0;        // C
    const double* rewards = nullptr;  // [B, G, C]; NaN: the channel does not apply
    const float* weights = nullptr;   // [C]
};

// out [B, G]. `sum_first`: the weighted channels are added before they are compared, else after.
// `leave_one_out`: with the mean of the others; else the mean is subtracted and the deviation
// divided by.
void group_advantages(const GroupRewards& given, bool sum_first, bool leave_one_out, double* out);

}  // namespace embody
