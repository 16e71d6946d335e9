#include "nn/adam.h"

#include <algorithm>
#include <cmath>

#include "base/float_mode.h"

namespace embody {
namespace {

constexpr std::int64_t kSums = 8;

double norm_of(const float* x, std::int64_t columns) {
    double sums[kSums] = {};
    const std::int64_t whole = columns / kSums * kSums;
    for (std::int64_t i = 0; i < whole; i += kSums) {
        for (std::int64_t k = 0; k < kSums; ++k) {
            sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
        }
    }
    for (std::int64_t i = whole; i < columns; ++i) {
        sums[i - whole] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    double total = 0.0;
    for (const double sum : sums) {
        total += sum;
    }
    return std::sqrt(total);
}

}  // namespace

void clip_rows(float* x, std::int64_t rows, std::int64_t columns, float most, float* norms) {
    const FloatMode mode;
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = x + r * columns;
        norms[r] = static_cast<float>(norm_of(row, columns));
        const float scale = most / (norms[r] + 1e-6F);
        if (!(scale >= 1.0F)) {  // a NaN has to spread as well
            for (std::int64_t i = 0; i < columns; ++i) {
                row[i] *= scale;
            }
        }
    }
}

void adam_step(const AdamStep& step) {
    const FloatMode mode;
    float* __restrict parameters = step.parameters;
    const float* __restrict gradient = step.gradient;
    float* __restrict mean = step.mean;
    float* __restrict square = step.square;
    const auto rest1 = static_cast<float>(1.0 - step.beta1);
    const auto rest2 = static_cast<float>(1.0 - step.beta2);
    const auto beta2 = static_cast<float>(step.beta2);
    const auto t = static_cast<double>(step.number);
    const auto rate = static_cast<float>(step.rate / (1.0 - std::pow(step.beta1, t)));
    const auto scale = static_cast<float>(std::sqrt(1.0 - std::pow(step.beta2, t)));
    const auto keep = static_cast<float>(1.0 - step.rate * step.decay);
    const float epsilon = step.epsilon;
    for (std::int64_t i = 0; i < step.count; ++i) {
        const float g = gradient[i];
        const float m = mean[i] + rest1 * (g - mean[i]);
        const float v = beta2 * square[i] + rest2 * (g * g);
        mean[i] = m;
        square[i] = v;
        parameters[i] = keep * parameters[i] - rate * (m / (std::sqrt(v) / scale + epsilon));
    }
}

}  // namespace embody
