#include "nn/regression.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace embody {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"squared", "huber", "gaussian"};

RegressionShape checked(const RegressionShape& s) {
    check_network(s.network, s.parameters);
    if (s.loss != Loss::gaussian) {
        return s;
    }
    if (s.network.outputs() % 2 != 0) {
        fail("regression: expected as many log variances as means, got ", s.network.outputs(),
             " outputs");
    }
    if (s.bounds < 0 || s.bounds + s.network.outputs() > s.parameters) {
        fail("regression: expected the bounds of the log variances within the ", s.parameters,
             " parameters, got them at ", s.bounds);
    }
    return s;
}

float softplus(float x) { return std::max(x, 0.0F) + std::log1p(std::exp(-std::abs(x))); }
float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

// What one row of one group adds: its loss, and the gradient of its outputs times 1 / M.
struct RowLoss {
    Loss loss;
    std::int64_t numbers;
    float huber;
    float share;          // 1 / M
    const float* low;     // of a gaussian
    double* bound_slope;  // [low, high]

    float squared(const float* y, const float* target, float* delta) const {
        float sum = 0.0F;
        for (std::int64_t t = 0; t < numbers; ++t) {
            const float e = y[t] - target[t];
            sum += 0.5F * e * e;
            delta[t] = share * e;
        }
        return sum;
    }

    float hubers(const float* y, const float* target, float* delta) const {
        float sum = 0.0F;
        for (std::int64_t t = 0; t < numbers; ++t) {
            const float e = y[t] - target[t];
            const float size = std::abs(e);
            const bool inside = !(size > huber);
            sum += inside ? 0.5F * e * e : huber * (size - 0.5F * huber);
            delta[t] = share * (inside ? e : std::copysign(huber, e));
        }
        return sum;
    }

    float gaussian(const float* y, const float* target, float* delta) const {
        float sum = 0.0F;
        for (std::int64_t t = 0; t < numbers; ++t) {
            const float raw = y[numbers + t];
            const float high = low[numbers + t];
            const float capped = high - softplus(high - raw);
            const float v = low[t] + softplus(capped - low[t]);
            const float e = y[t] - target[t];
            const float precise = e * std::exp(-v);
            sum += 0.5F * (e * precise + v);
            delta[t] = share * precise;
            // d v / d capped, d capped / d raw
            const float slope = share * 0.5F * (1.0F - e * precise);
            const float at_low = sigmoid(capped - low[t]);
            const float at_high = sigmoid(high - raw);
            delta[numbers + t] = slope * at_low * at_high;
            bound_slope[t] += static_cast<double>(slope * (1.0F - at_low));
            bound_slope[numbers + t] += static_cast<double>(slope * at_low * (1.0F - at_high));
        }
        return sum;
    }

    float at(const float* y, const float* target, float* delta) const {
        switch (loss) {
            case Loss::squared:
                return squared(y, target, delta);
            case Loss::huber:
                return hubers(y, target, delta);
            case Loss::gaussian:
                break;
        }
        return gaussian(y, target, delta);
    }
};

}  // namespace

Loss loss_named(std::string_view name) {
    const auto* found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) {
        fail("loss: expected squared, huber or gaussian, got '", name, "'",
             suggestion(name, kNames));
    }
    return static_cast<Loss>(found - kNames.begin());
}

RegressionGradient::RegressionGradient(const RegressionShape& shape, int threads)
    : shape_(checked(shape)),
      slices_({shape.network}, threads),
      panels_(shape.network),
      sums_size_(padded(shape.network.groups + 2 * shape.numbers())),
      sums_(static_cast<std::size_t>(Slices::kMost * sums_size_)) {
    for (int i = 0; i < slices_.threads(); ++i) {
        workers_.push_back(
            {Pass(shape_.network, true), Buffer(kBlockRows * row_stride(shape_.network.inputs()))});
    }
}

void RegressionGradient::run(const float* flat, const RegressionBatch& batch,
                             const RegressionSettings& settings, float* message) {
    panels_.pack(flat, Back::parameters);
    const double cost = 3.0 * static_cast<double>(batch.count) * shape_.network.nanoseconds();
    const std::int64_t slices = slices_.run(batch.count, cost, [&](const Slice& slice, int thread) {
        std::fill_n(sums_.data() + slice.number * sums_size_, sums_size_, 0.0);
        for (std::int64_t row = slice.first; row < slice.last; row += kBlockRows) {
            block(flat, batch, settings, row, std::min(kBlockRows, slice.last - row), slice,
                  workers_[static_cast<std::size_t>(thread)]);
        }
    });
    slices_.gather(slices, message);
    finish(slices, batch, settings, message);
}

void RegressionGradient::block(const float* flat, const RegressionBatch& batch,
                               const RegressionSettings& settings, std::int64_t first,
                               std::int64_t count, const Slice& slice, Worker& worker) {
    const Network& network = shape_.network;
    const std::int64_t numbers = shape_.numbers();
    const std::int64_t width = network.inputs();
    const Rows inputs = {worker.inputs.data(), row_stride(width)};
    double* sums = sums_.data() + slice.number * sums_size_;
    const RowLoss loss = {shape_.loss,          numbers,
                          settings.huber,       1.0F / static_cast<float>(batch.count),
                          flat + shape_.bounds, sums + network.groups};
    for (std::int64_t g = 0; g < network.groups; ++g) {
        const std::int64_t* index =
            batch.index + (batch.index_of_group ? g * batch.count : 0) + first;
        for (std::int64_t r = 0; r < count && (g == 0 || batch.index_of_group); ++r) {
            std::copy_n(batch.inputs + index[r] * width, width,
                        worker.inputs.data() + r * inputs.stride);
        }
        const Rows y = worker.pass.forward(panels_, g, count, inputs);
        const std::int64_t set = g * batch.sets / network.groups;
        for (std::int64_t r = 0; r < count; ++r) {
            const float* target = batch.targets + (index[r] * batch.sets + set) * numbers;
            sums[g] += static_cast<double>(
                loss.at(y.data + r * y.stride, target, worker.pass.output_delta() + r * y.stride));
        }
        worker.pass.backward(panels_, slices_.layout(0), g, count, inputs,
                             slice.gradient + slices_.start(0, g));
    }
}

void RegressionGradient::finish(std::int64_t slices, const RegressionBatch& batch,
                                const RegressionSettings& settings, float* message) {
    for (std::int64_t s = 1; s < slices; ++s) {
        for (std::int64_t i = 0; i < sums_size_; ++i) {
            sums_[static_cast<std::size_t>(i)] +=
                sums_[static_cast<std::size_t>(s * sums_size_ + i)];
        }
    }
    const std::int64_t groups = shape_.network.groups;
    for (std::int64_t g = 0; g < groups; ++g) {
        message[shape_.parameters + g] = static_cast<float>(sums_[static_cast<std::size_t>(g)] /
                                                            static_cast<double>(batch.count));
    }
    if (shape_.loss != Loss::gaussian) {
        return;
    }
    const double* slope = sums_.data() + groups;
    const auto weight = static_cast<double>(settings.bound_weight);
    for (std::int64_t t = 0; t < shape_.numbers(); ++t) {
        const std::int64_t high = shape_.numbers() + t;
        message[shape_.bounds + t] = static_cast<float>(slope[t] - weight);
        message[shape_.bounds + high] = static_cast<float>(slope[high] + weight);
    }
}

}  // namespace embody
