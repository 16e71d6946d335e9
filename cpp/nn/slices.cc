#include "nn/slices.h"

#include "nn/kernels.h"

namespace embody {
namespace {

constexpr double kNanosecondsPerSum = 0.1;

std::int64_t gradient_floats(const std::vector<Network>& networks) {
    std::int64_t size = 0;
    for (const Network& network : networks) {
        size += network.groups * GradientLayout(network).size();
    }
    return size;
}

}  // namespace

Slices::Slices(const std::vector<Network>& networks, int threads)
    : threads_(std::min(threads, kMost)),
      size_(gradient_floats(networks)),
      gradients_(kMost * size_) {
    std::int64_t at = 0;
    for (const Network& network : networks) {
        layouts_.emplace_back(network);
        starts_.push_back(at);
        list_tasks(network, layouts_.back(), at);
        at += network.groups * layouts_.back().size();
    }
    for (const RowTask& task : tasks_) {
        longest_ = std::max(longest_, padded(task.count));
    }
    for (int i = 0; i < threads_; ++i) {
        rows_.emplace_back(longest_);
    }
}

std::int64_t Slices::slices_of(std::int64_t rows) {
    return std::clamp<std::int64_t>((rows + kBlockRows - 1) / kBlockRows, 1, kMost);
}

void Slices::list_tasks(const Network& network, const GradientLayout& layout, std::int64_t from) {
    for (std::int64_t g = 0; g < network.groups; ++g) {
        const std::int64_t source = from + g * layout.size();
        const std::int64_t target = g * network.group_stride;
        for (std::size_t i = 0; i < network.layers.size(); ++i) {
            const Layer& layer = network.layers[i];
            list_layer(layer, layout.transposed(i), source + layout.weights(i),
                       target + layer.weights);
            tasks_.push_back({source + layout.biases(i), layer.out, target + layer.biases, 1});
            if (layer.normalised()) {
                const std::int64_t gains = source + layout.gains(i);
                const std::int64_t shifts = gains + padded(layer.out);
                tasks_.push_back({gains, layer.out, target + layer.gains, 1});
                tasks_.push_back({shifts, layer.out, target + layer.shifts, 1});
            }
        }
    }
}

void Slices::list_layer(const Layer& layer, bool turned, std::int64_t weights, std::int64_t to) {
    const std::int64_t rows = turned ? layer.out : layer.in;
    const std::int64_t columns = turned ? layer.in : layer.out;
    for (std::int64_t r = 0; r < rows; ++r) {
        tasks_.push_back({weights + r * padded(columns), columns, to + (turned ? r : r * columns),
                          turned ? layer.out : 1});
    }
}

void Slices::gather(std::int64_t slices, float* gradient) {
    const auto tasks = static_cast<std::int64_t>(tasks_.size());
    const double cost = kNanosecondsPerSum * static_cast<double>(slices * size_);
    parallel_for(tasks, useful_threads(threads_, cost),
                 [&](std::int64_t begin, std::int64_t end, int thread) {
                     const FloatMode mode;
                     float* row = rows_[static_cast<std::size_t>(thread)].data();
                     for (std::int64_t t = begin; t < end; ++t) {
                         const RowTask& task = tasks_[static_cast<std::size_t>(t)];
                         network_kernels().sum_parts(slices, padded(task.count), size_,
                                                     gradients_.data() + task.from, row);
                         for (std::int64_t i = 0; i < task.count; ++i) {
                             gradient[task.to + i * task.step] = row[i];
                         }
                     }
                 });
}

}  // namespace embody
