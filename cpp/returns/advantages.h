// From advantages per channel to one advantage for the actor.
#pragma once

#include <cstdint>

namespace embody {

// What normalise_advantages saw of one channel.
struct ChannelMoments {
    double mean = 0;
    double deviation = 0;  // population standard deviation
    double divisor = 1;    // what was divided by
    double count = 0;      // finite rows
};

// In place: (A - mean) / max(deviation, floor * running deviation, 1e-8) for each of the C
// channels; what is not finite, and rows that are not `valid` [rows] (null: all are), is left out
// of the moments and becomes 0. running_std moves by 5 % towards the deviation, or takes it when
// `first`. Moments are float64, merged in an order that does not depend on the number of threads.
// moments: [C], out.
void normalise_advantages(float* advantages, std::int64_t rows, std::int64_t channels,
                          const float* floor, double* running_std, bool first,
                          ChannelMoments* moments, int threads,
                          const std::uint8_t* valid = nullptr);

// out[row] = sum over channels of weights[c] * advantages[row, c] where that is finite, then to
// zero mean and unit deviation if `renormalise`. Rows that are not `valid` are left out and become
// 0.
void combine(const float* advantages, std::int64_t rows, std::int64_t channels,
             const float* weights, bool renormalise, float* out, int threads,
             const std::uint8_t* valid = nullptr);

}  // namespace embody
