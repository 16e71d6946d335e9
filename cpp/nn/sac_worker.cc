#include "nn/sac_worker.h"

#include <algorithm>
#include <cmath>

namespace embody {
namespace {

constexpr float kLogSqrt2Pi = 0.918938533F;
constexpr float kLog2 = 0.693147181F;

// log(1 - tanh(u)^2), which itself would cancel far out.
float log_slope(float u) {
    const float size = std::abs(u);
    return 2.0F * (kLog2 - size - std::log1p(std::exp(-2.0F * size)));
}

}  // namespace

SacWorker::SacWorker(const SacNetworks& networks)
    : networks_(networks),
      actor_(networks.actor, true),
      observations_(kBlockRows * row_stride(networks.actor.inputs())),
      critic_inputs_(kBlockRows * row_stride(networks.critic.inputs())),
      input_delta_(kBlockRows * row_stride(networks.critic.inputs())),
      outputs_(kBlockRows * networks.actor.outputs()),
      log_probs_(kBlockRows),
      values_(kBlockRows),
      chosen_(static_cast<std::size_t>(kBlockRows)) {
    for (std::int64_t k = 0; k < networks.twins(); ++k) {
        critics_.emplace_back(networks.critic, true);
    }
}

float SacWorker::log_std(float raw) const {
    return networks_.low + 0.5F * (networks_.high - networks_.low) * (std::tanh(raw) + 1.0F);
}

// log pi = sum of -noise^2 / 2 - log std - log sqrt(2 pi) - log(1 - tanh(u)^2),  u = mean + std
// noise
float SacWorker::squash_row(const float* outputs, const float* noise, float* action) const {
    const std::int64_t size = networks_.actions();
    float sum = 0.0F;
    for (std::int64_t j = 0; j < size; ++j) {
        const float scale = log_std(outputs[size + j]);
        const float u = outputs[j] + std::exp(scale) * noise[j];
        action[j] = std::tanh(u);
        sum -= 0.5F * noise[j] * noise[j] + scale + kLogSqrt2Pi + log_slope(u);
    }
    return sum;
}

void SacWorker::act(const Panels& actor, const SacRows& rows, std::int64_t first,
                    std::int64_t count) {
    const std::int64_t width = networks_.actor.inputs();
    const std::int64_t seen = networks_.critic_observations();
    const std::int64_t outputs = networks_.actor.outputs();
    const std::int64_t stride = row_stride(networks_.critic.inputs());
    const Rows inputs = {observations_.data(), row_stride(width)};
    for (std::int64_t r = 0; r < count; ++r) {
        std::copy_n(rows.observations + (first + r) * width, width,
                    observations_.data() + r * inputs.stride);
    }
    const Rows y = actor_.forward(actor, 0, count, inputs);
    for (std::int64_t r = 0; r < count; ++r) {
        float* own = outputs_.data() + r * outputs;
        float* row = critic_inputs_.data() + r * stride;
        std::copy_n(y.data + r * y.stride, outputs, own);
        std::copy_n(rows.critic_observations + (first + r) * seen, seen, row);
        log_probs_.data()[r] =
            squash_row(own, rows.noise + (first + r) * networks_.actions(), row + seen);
    }
}

void SacWorker::least(const Panels& critics, std::int64_t channel, std::int64_t count, float* q) {
    const Rows inputs = {critic_inputs_.data(), row_stride(networks_.critic.inputs())};
    const std::int64_t twins = networks_.twins();
    for (std::int64_t k = 0; k < twins; ++k) {
        const Rows y = critics_[static_cast<std::size_t>(k)].forward(critics, channel * twins + k,
                                                                     count, inputs);
        for (std::int64_t r = 0; r < count; ++r) {
            const float value = y.data[r * y.stride];
            // !(>=): a NaN has to spread
            if (k == 0 || !(value >= q[r])) {
                q[r] = value;
                chosen_[static_cast<std::size_t>(r)] = k;
            }
        }
    }
}

void SacWorker::back_channel(const Panels& critics, std::int64_t channel, std::int64_t count,
                             float weight) {
    const std::int64_t twins = networks_.twins();
    const std::int64_t output_stride = row_stride(1);
    for (std::int64_t k = 0; k < twins; ++k) {
        const Pass& critic = critics_[static_cast<std::size_t>(k)];
        for (std::int64_t r = 0; r < count; ++r) {
            const bool own = chosen_[static_cast<std::size_t>(r)] == k;
            critic.output_delta()[r * output_stride] = own ? weight : 0.0F;
        }
        critic.backward_inputs(critics, channel * twins + k, count, input_delta_.data(),
                               row_stride(networks_.critic.inputs()));
    }
}

// With a = tanh(u): d log pi / d u = 2 a, and d u / d log std = std noise; log std itself adds -1.
void SacWorker::back_row(std::int64_t row, const float* noise, float temperature, float share) {
    const std::int64_t size = networks_.actions();
    const std::int64_t stride = row_stride(networks_.critic.inputs());
    const std::int64_t seen = networks_.critic_observations();
    const float* outputs = outputs_.data() + row * 2 * size;
    const float* action = critic_inputs_.data() + row * stride + seen;
    const float* slope = input_delta_.data() + row * stride + seen;
    float* delta = actor_.output_delta() + row * row_stride(2 * size);
    for (std::int64_t j = 0; j < size; ++j) {
        const float a = action[j];
        const float t = std::tanh(outputs[size + j]);
        const float u = slope[j] * (1.0F - a * a) + temperature * 2.0F * a;
        const float scale = u * std::exp(log_std(outputs[size + j])) * noise[j] - temperature;
        delta[j] = share * u;
        delta[size + j] = share * scale * 0.5F * (networks_.high - networks_.low) * (1.0F - t * t);
    }
}

void SacWorker::back_actor(const Panels& actor, const GradientLayout& layout, const SacRows& rows,
                           std::int64_t first, std::int64_t count, float temperature, float share,
                           float* gradient) {
    for (std::int64_t r = 0; r < count; ++r) {
        back_row(r, rows.noise + (first + r) * networks_.actions(), temperature, share);
    }
    const Rows inputs = {observations_.data(), row_stride(networks_.actor.inputs())};
    actor_.backward(actor, layout, 0, count, inputs, gradient);
    std::fill_n(input_delta_.data(), count * row_stride(networks_.critic.inputs()), 0.0F);
}

}  // namespace embody
