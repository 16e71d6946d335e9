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
    float rate = 0.0F;   // divided by 1 - beta1^t
    float scale = 1.0F;  // sqrt(1 - beta2^t)
    double beta1 = 0.0;
    double beta2 = 0.0;
    float epsilon = 0.0F;
    float keep = 1.0F;  // 1 - learning rate times weight decay
};

// m += (1 - b1) (g - m);  v = b2 v + (1 - b2) g g;
// p = keep p - rate m / (sqrt(v) / scale + epsilon)
void adam_step(const AdamStep& step);

}  // namespace embody
