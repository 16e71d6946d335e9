#include "nn/inference.h"

#include <algorithm>

#include "base/float_mode.h"
#include "base/thread_pool.h"

namespace embody {
namespace {

Network checked(const Network& network, std::int64_t size) {
    check_network(network, size);
    return network;
}

}  // namespace

Inference::Inference(const Network& network, std::int64_t size, int threads)
    : network_(checked(network, size)), threads_(threads), panels_(network) {
    for (int i = 0; i < threads; ++i) {
        passes_.emplace_back(network, false);
    }
}

void Inference::load(const float* flat) { panels_.pack(flat, Back::none); }

void Inference::normalise(const float* mean, const float* inverse_std, float clip) {
    const std::int64_t inputs = network_.inputs();
    mean_.assign(mean, mean + inputs);
    inverse_std_.assign(inverse_std, inverse_std + inputs);
    clip_ = clip;
    seen_.clear();
    for (int i = 0; i < threads_; ++i) {
        seen_.emplace_back(kBlockRows * inputs);
    }
}

Rows Inference::seen(const float* rows, std::int64_t count, std::size_t thread) const {
    const std::int64_t inputs = network_.inputs();
    if (mean_.empty()) {
        return {rows, inputs};
    }
    float* out = seen_[thread].data();
    for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t i = 0; i < inputs; ++i) {
            const auto column = static_cast<std::size_t>(i);
            const float x = (rows[r * inputs + i] - mean_[column]) * inverse_std_[column];
            // a NaN is neither above nor below, and stays
            out[r * inputs + i] = x > clip_ ? clip_ : x < -clip_ ? -clip_ : x;
        }
    }
    return {out, inputs};
}

void Inference::forward(const float* rows, std::int64_t n, float* out) {
    const std::int64_t inputs = network_.inputs();
    const std::int64_t width = network_.outputs();
    const std::int64_t blocks = (n + kBlockRows - 1) / kBlockRows;
    const double cost = static_cast<double>(n) * network_.nanoseconds();
    parallel_for(blocks, useful_threads(threads_, cost),
                 [&](std::int64_t begin, std::int64_t end, int chunk) {
                     const FloatMode mode;
                     const auto thread = static_cast<std::size_t>(chunk);
                     Pass& pass = passes_[thread];
                     for (std::int64_t first = begin * kBlockRows;
                          first < std::min(n, end * kBlockRows); first += kBlockRows) {
                         const std::int64_t count = std::min(kBlockRows, n - first);
                         const Rows x = seen(rows + first * inputs, count, thread);
                         for (std::int64_t g = 0; g < network_.groups; ++g) {
                             const Rows y = pass.forward(panels_, g, count, x);
                             for (std::int64_t r = 0; r < count; ++r) {
                                 std::copy_n(y.data + r * y.stride, width,
                                             out + ((first + r) * network_.groups + g) * width);
                             }
                         }
                     }
                 });
}

}  // namespace embody
