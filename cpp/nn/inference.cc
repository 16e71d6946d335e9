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

void Inference::load(const float* flat) { panels_.pack(flat, false); }

void Inference::forward(const float* rows, std::int64_t n, float* out) {
    const std::int64_t inputs = network_.inputs();
    const std::int64_t width = network_.outputs();
    const std::int64_t blocks = (n + kBlockRows - 1) / kBlockRows;
    const double cost = static_cast<double>(n) * network_.nanoseconds();
    parallel_for(blocks, useful_threads(threads_, cost),
                 [&](std::int64_t begin, std::int64_t end, int chunk) {
                     const FloatMode mode;
                     Pass& pass = passes_[static_cast<std::size_t>(chunk)];
                     for (std::int64_t first = begin * kBlockRows;
                          first < std::min(n, end * kBlockRows); first += kBlockRows) {
                         const std::int64_t count = std::min(kBlockRows, n - first);
                         for (std::int64_t g = 0; g < network_.groups; ++g) {
                             const Rows y =
                                 pass.forward(panels_, g, count, {rows + first * inputs, inputs});
                             for (std::int64_t r = 0; r < count; ++r) {
                                 std::copy_n(y.data + r * y.stride, width,
                                             out + ((first + r) * network_.groups + g) * width);
                             }
                         }
                     }
                 });
}

}  // namespace embody
