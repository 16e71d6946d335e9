// A minibatch's gradient as the sum over slices of its rows. Slices depend on the number of rows
// only and are added in order, so that threads change no bit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "nn/buffer.h"
#include "nn/network.h"
#include "nn/pass.h"

namespace embody {

// Rows [first, last) of a minibatch, and where their gradient is summed.
struct Slice {
    std::int64_t number = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    float* gradient = nullptr;
};

class Slices {
  public:
    static constexpr int kMost = 8;

    // Gradients of these networks, whose parameters lie in one flat array.
    Slices(const std::vector<Network>& networks, int threads);

    int threads() const { return threads_; }
    const GradientLayout& layout(std::size_t network) const { return layouts_[network]; }

    // Where a group's gradient begins within a slice's.
    std::int64_t start(std::size_t network, std::int64_t group) const {
        return starts_[network] + group * layouts_[network].size();
    }

    // Calls body(slice, thread) for the slices of `rows`, their gradients zeroed, where all of it
    // takes about `nanoseconds` serially. Returns the number of slices.
    template <class F>
    std::int64_t run(std::int64_t rows, double nanoseconds, F&& body) {
        const std::int64_t slices = slices_of(rows);
        parallel_for(slices, useful_threads(threads_, nanoseconds),
                     [&](std::int64_t begin, std::int64_t end, int thread) {
                         const FloatMode mode;
                         for (std::int64_t s = begin; s < end; ++s) {
                             float* gradient = gradients_.data() + s * size_;
                             std::fill_n(gradient, size_, 0.0F);
                             body(Slice{s, rows * s / slices, rows * (s + 1) / slices, gradient},
                                  thread);
                         }
                     });
        return slices;
    }

    // Writes the sum over the slices, laid out like the parameters; what lies between them is left
    // alone.
    void gather(std::int64_t slices, float* gradient);

  private:
    // One row of a summed gradient and where it goes.
    struct RowTask {
        std::int64_t from = 0;
        std::int64_t count = 0;
        std::int64_t to = 0;
        std::int64_t step = 1;
    };

    static std::int64_t slices_of(std::int64_t rows);
    void list_tasks(const Network& network, const GradientLayout& layout, std::int64_t from);
    void list_layer(const Layer& layer, bool turned, std::int64_t weights, std::int64_t to);

    int threads_;
    std::vector<GradientLayout> layouts_;
    std::vector<std::int64_t> starts_;
    std::int64_t size_ = 0;  // of one slice
    Buffer gradients_;       // [slices, size]
    std::vector<RowTask> tasks_;
    std::int64_t longest_ = 0;  // row of a task, padded
    std::vector<Buffer> rows_;  // [longest], one a thread
};

}  // namespace embody
