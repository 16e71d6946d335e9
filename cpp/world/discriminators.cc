#include "world/discriminators.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace embody {
namespace {

constexpr float kTiny = 1e-7F;   // added to a distance between logits
constexpr double kFloor = 1e-9;  // added to what the logarithm is taken of

Network checked(const Network& network, std::int64_t state) {
    if (network.outputs() != 1 || state < 1 || network.inputs() <= 2 * state) {
        fail("discriminators: expected one output, and inputs for two states of ", state,
             " numbers and an action, got ", network.outputs(), " and ", network.inputs());
    }
    return network;
}

Network head_of(Network network, std::int64_t state) {
    network.layers.resize(1);
    network.layers[0].in -= state;
    return network;
}

Network tail_of(Network network, std::int64_t state) {
    Layer& first = network.layers[0];
    first.weights += (first.in - state) * first.out;
    first.in = state;
    return network;
}

}  // namespace

Discriminators::Discriminators(const Network& network, std::int64_t state,
                               const DiscriminatorArrays& arrays)
    : state_(state),
      head_(head_of(checked(network, state), state)),
      tail_(tail_of(network, state)),
      head_panels_(head_, arrays.flat),
      tail_panels_(tail_, arrays.flat),
      clip_(arrays.clip) {
    mean_.assign(arrays.mean, arrays.mean + network.inputs());
    inverse_std_.assign(arrays.inverse_std, arrays.inverse_std + network.inputs());
    const std::int64_t g = count();
    low_.assign(arrays.made, arrays.made + g);
    radius_ = std::max(std::abs(*std::max_element(arrays.data, arrays.data + g)),
                       std::abs(*std::min_element(arrays.made, arrays.made + g)));
    for (std::int64_t i = 0; i < g; ++i) {
        high_.push_back(std::max(arrays.data[i], arrays.made[i]));
        scale_.push_back(2.0F * radius_ / (arrays.data[i] - arrays.made[i] + kTiny));
    }
}

double Discriminators::nanoseconds(std::int64_t candidates) const {
    return head_.nanoseconds() + static_cast<double>(candidates) * tail_.nanoseconds();
}

void Discriminators::before(const float* state_row, const float* action_row, float* out) const {
    const auto s = static_cast<std::size_t>(state_);
    for (std::size_t i = 0; i < s; ++i) {
        out[i] = (state_row[i] - mean_[i]) * inverse_std_[i];
    }
    for (std::size_t i = s; i < mean_.size() - s; ++i) {
        out[i] = (action_row[i - s] - mean_[i]) * inverse_std_[i];
    }
}

void Discriminators::change(const float* state_row, const float* next, float* out) const {
    const auto first = static_cast<std::size_t>(state_ + action());
    for (std::size_t i = 0; i < static_cast<std::size_t>(state_); ++i) {
        out[i] = (next[i] - state_row[i] - mean_[first + i]) * inverse_std_[first + i];
    }
}

float Discriminators::place(std::int64_t discriminator, float logit) const {
    const auto g = static_cast<std::size_t>(discriminator);
    const float within = logit > high_[g] ? high_[g] : logit < low_[g] ? low_[g] : logit;
    return (within - low_[g]) * scale_[g] - radius_;
}

float Discriminators::reward(const float* votes) const {
    double sum = 0.0;
    for (std::int64_t g = 0; g < count(); ++g) {
        sum += static_cast<double>(votes[g] > clip_ ? clip_ : votes[g]);
    }
    return static_cast<float>(-std::log(1.0 - sum / static_cast<double>(count()) + kFloor));
}

}  // namespace embody
