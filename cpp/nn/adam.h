// The step from a gradient to new parameters: clipping, then Adam. Papers: Kingma and Ba, Adam: a
// method for stochastic optimization (2015); Loshchilov and Hutter, Decoupled weight decay
// regularization (2019). pyembody/learn/adam_reference.py is the definition.
#pragma once

#include <cstdint>

namespace embody {

// Scales each row of x[rows, columns] in place by min(1, most / (norm + 1e-6)); norms[rows] are
// those before. Squares are summed in double, over columns mod 8 and then these eight in order, so
// that all SIMD levels give the same bits.
void clip_rows(float* x, std::int64_t rows, std::int64_t columns, float most, float* norms);

struct AdamStep {
    std::int64_t count = 0;
    float* parameters = nullptr;
    const float* gradient = nullptr;
    float* mean = nullptr;
    float* square = nullptr;
    double rate = 0.0;
    std::int64_t number = 1;  // t, of this step: 1 is the first
    double decay = 0.0;       // of the parameters themselves, per step and unit of rate (AdamW)
    double beta1 = 0.9;
    double beta2 = 0.999;
    float epsilon = 1e-8F;
};

// m += (1 - b1) (g - m);  v = b2 v + (1 - b2) g g;
// p = (1 - rate decay) p - rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
void adam_step(const AdamStep& step);

}  // namespace embody
