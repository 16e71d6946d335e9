#include "nn/ppo_worker.h"

#include <algorithm>
#include <cmath>

namespace embody {
namespace {

constexpr float kLogSqrt2Pi = 0.918938533F;

std::int64_t channels_of(const PpoNetworks& n) { return n.critic.groups * n.critic.outputs(); }

}  // namespace

std::int64_t PpoSums::size(const PpoNetworks& networks) {
    return padded(2 + networks.actor.outputs() + channels_of(networks));
}

void PpoSums::clear() { std::fill_n(data_, size_, 0.0); }

void PpoSums::add(const PpoSums& other) {
    for (std::int64_t i = 0; i < size_; ++i) {
        data_[i] += other.data_[i];
    }
}

PpoPolicy::PpoPolicy(const PpoNetworks& networks, const float* flat, const PpoBatch& batch,
                     const PpoSettings& settings, float* inverse)
    : networks_(networks),
      batch_(batch),
      settings_(settings),
      log_std_(flat + networks.log_std),
      inverse_(inverse),
      share_(1.0F / static_cast<float>(batch.count)) {
    for (std::int64_t j = 0; j < networks.actor.outputs(); ++j) {
        inverse[j] = std::exp(-log_std_[j]);
        constant_ += log_std_[j] + kLogSqrt2Pi;
    }
}

void PpoPolicy::actor_row(std::int64_t row, const float* mean, float* delta, PpoSums& sums) const {
    const std::int64_t size = networks_.actor.outputs();
    const std::int64_t at = batch_.index[row];
    const float* action = batch_.actions + at * size;
    const float* old_mean = batch_.mean + at * size;
    float squares = 0.0F;
    float moved = 0.0F;
    for (std::int64_t j = 0; j < size; ++j) {
        const float inverse = inverse_[j];
        const float z = (action[j] - mean[j]) * inverse;
        const float shift = (old_mean[j] - mean[j]) * inverse;
        delta[j] = z;
        squares += z * z;
        moved += shift * shift;
    }
    // rho = exp(log pi - log pi_old); loss = -min(rho A, clamp(rho, 1 - clip, 1 + clip) A)
    const float log_ratio = (-0.5F * squares - constant_) - batch_.log_probs[at];
    // beyond any clip an overflow to infinity would turn a clipped row's zero gradient into NaN
    const float most = settings_.log_ratio_clip;
    const bool capped = log_ratio > most || log_ratio < -most;
    const float ratio = std::exp(std::clamp(log_ratio, -most, most));
    const float advantage = batch_.advantages[at];
    const float gain = ratio * advantage;
    const float low = 1.0F - settings_.clip;
    const float high = 1.0F + settings_.clip;
    const float clipped = (ratio < low ? low : ratio > high ? high : ratio) * advantage;
    const bool outside = gain > clipped;
    sums.surrogate() -= static_cast<double>(outside ? clipped : gain);
    sums.divergence() += 0.5 * static_cast<double>(moved);
    // d log pi / d mean = z / std, d log pi / d log std = z^2 - 1
    const float slope = outside || capped ? 0.0F : -gain * share_;
    for (std::int64_t j = 0; j < size; ++j) {
        const float z = delta[j];
        sums.log_std()[j] += static_cast<double>(slope * (z * z - 1.0F));
        delta[j] = slope * z * inverse_[j];
    }
}

void PpoPolicy::critic_row(std::int64_t row, std::int64_t group, const float* values, float* delta,
                           PpoSums& sums) const {
    const std::int64_t outputs = networks_.critic.outputs();
    const std::int64_t first = group * outputs;
    const float* targets = batch_.targets + batch_.index[row] * channels_of(networks_) + first;
    for (std::int64_t o = 0; o < outputs; ++o) {
        const float error = values[o] - targets[o];
        sums.values()[first + o] += 0.5 * static_cast<double>(error) * static_cast<double>(error);
        delta[o] = settings_.value_weight * error * share_;
    }
}

void PpoPolicy::finish(PpoSums& sums, float* log_std, float* statistics) const {
    const double share = 1.0 / static_cast<double>(batch_.count);
    // KL = sum log(s / s0) + (s0^2 + (m0 - m)^2) / (2 s^2) - 1/2
    double divergence = sums.divergence() * share;
    for (std::int64_t j = 0; j < networks_.actor.outputs(); ++j) {
        const double apart =
            static_cast<double>(log_std_[j]) - static_cast<double>(batch_.log_std[j]);
        divergence += apart + 0.5 * std::exp(-2.0 * apart) - 0.5;
        log_std[j] = static_cast<float>(sums.log_std()[j] - static_cast<double>(settings_.entropy));
    }
    statistics[0] = static_cast<float>(divergence);
    statistics[1] = static_cast<float>(sums.surrogate() * share);
    for (std::int64_t c = 0; c < channels_of(networks_); ++c) {
        statistics[2 + c] = static_cast<float>(sums.values()[c] * share);
    }
}

PpoWorker::PpoWorker(const PpoNetworks& networks)
    : networks_(networks),
      actor_(networks.actor, true),
      critic_(networks.critic, true),
      observations_(kBlockRows * row_stride(networks.actor.inputs())),
      critic_observations_(kBlockRows * row_stride(networks.critic.inputs())) {}

Rows PpoWorker::gather(const PpoBatch& batch, const float* rows, std::int64_t width,
                       std::int64_t first, std::int64_t count, Buffer& to) const {
    const std::int64_t stride = row_stride(width);
    for (std::int64_t r = 0; r < count; ++r) {
        std::copy_n(rows + batch.index[first + r] * width, width, to.data() + r * stride);
    }
    return {to.data(), stride};
}

void PpoWorker::actor(const PpoPolicy& policy, const Panels& panels, const GradientLayout& layout,
                      std::int64_t first, std::int64_t count, float* gradient, PpoSums& sums) {
    const PpoBatch& batch = policy.batch();
    const Rows inputs =
        gather(batch, batch.observations, networks_.actor.inputs(), first, count, observations_);
    const Rows mean = actor_.forward(panels, 0, count, inputs);
    for (std::int64_t r = 0; r < count; ++r) {
        policy.actor_row(first + r, mean.data + r * mean.stride,
                         actor_.output_delta() + r * mean.stride, sums);
    }
    actor_.backward(panels, layout, 0, count, inputs, gradient);
}

void PpoWorker::critics(const PpoPolicy& policy, const Panels& panels, const GradientLayout& layout,
                        std::int64_t first, std::int64_t count, float* gradient, PpoSums& sums) {
    const PpoBatch& batch = policy.batch();
    const Rows inputs = gather(batch, batch.critic_observations, networks_.critic.inputs(), first,
                               count, critic_observations_);
    for (std::int64_t g = 0; g < networks_.critic.groups; ++g) {
        const Rows values = critic_.forward(panels, g, count, inputs);
        for (std::int64_t r = 0; r < count; ++r) {
            policy.critic_row(first + r, g, values.data + r * values.stride,
                              critic_.output_delta() + r * values.stride, sums);
        }
        critic_.backward(panels, layout, g, count, inputs, gradient + g * layout.size());
    }
}

}  // namespace embody
