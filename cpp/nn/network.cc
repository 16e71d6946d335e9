#include "nn/network.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace embody {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"tanh", "relu", "elu", "silu"};
constexpr std::int64_t kWidest = 65536;
constexpr double kNanosecondsPerMultiplyAdd = 0.012;

void check_range(const Network& n, std::size_t layer, std::int64_t first, std::int64_t count,
                 std::int64_t size) {
    const std::int64_t last = first + (n.groups - 1) * n.group_stride + count;
    if (first < 0 || n.group_stride < 0 || last > size) {
        fail("network: expected the parameters of layer ", layer, " within [0, ", size, "), got [",
             first, ", ", last, ")");
    }
}

}  // namespace

std::int64_t Network::widest() const {
    std::int64_t most = 0;
    for (const Layer& layer : layers) {
        most = std::max(most, layer.out);
    }
    return most;
}

std::int64_t Network::multiply_adds() const {
    std::int64_t sum = 0;
    for (const Layer& layer : layers) {
        sum += layer.in * layer.out;
    }
    return groups * sum;
}

double Network::nanoseconds() const {
    return kNanosecondsPerMultiplyAdd * static_cast<double>(multiply_adds());
}

void check_network(const Network& n, std::int64_t size) {
    if (n.groups < 1 || n.groups > 1024 || n.layers.empty() || n.layers.size() > 64) {
        fail("network: expected 1 to 1024 groups and 1 to 64 layers, got ", n.groups, " and ",
             n.layers.size());
    }
    if (n.layers.back().normalised()) {
        fail("network: expected a layer norm in hidden layers only, got one in the last layer");
    }
    for (std::size_t i = 0; i < n.layers.size(); ++i) {
        const Layer& layer = n.layers[i];
        if (layer.in < 1 || layer.in > kWidest || layer.out < 1 || layer.out > kWidest) {
            fail("network: layer ", i, ": expected widths from 1 to ", kWidest, ", got ", layer.in,
                 " to ", layer.out);
        }
        if (i > 0 && layer.in != n.layers[i - 1].out) {
            fail("network: layer ", i, ": expected ", n.layers[i - 1].out, " inputs, got ",
                 layer.in);
        }
        check_range(n, i, layer.weights, layer.in * layer.out, size);
        check_range(n, i, layer.biases, layer.out, size);
        if (layer.normalised()) {
            check_range(n, i, layer.gains, layer.out, size);
            check_range(n, i, layer.shifts, layer.out, size);
        }
    }
}

Activation activation_named(std::string_view name) {
    const auto* found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) {
        fail("activation: expected tanh, relu, elu or silu, got '", name, "'",
             suggestion(name, kNames));
    }
    return static_cast<Activation>(found - kNames.begin());
}

}  // namespace embody
