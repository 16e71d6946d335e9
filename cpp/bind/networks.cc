#include "bind/networks.h"

namespace embody::bind {

Network read_network(const NetworkTuple& given) {
    Network network;
    const auto& [groups, stride, activation, layers] = given;
    network.groups = groups;
    network.group_stride = stride;
    network.activation = activation_named(activation);
    for (const auto& [in, out, weights, biases, gains, shifts] : layers) {
        network.layers.push_back({in, out, weights, biases, gains, shifts});
    }
    return network;
}

int checked_threads(int threads) {
    if (threads < 1 || threads > 1024) {
        fail("threads: expected 1 to 1024, got ", threads);
    }
    return threads;
}

std::int64_t rows_of(const py::object& object, const std::string& name) {
    const py::array array = check_array(object, name, {"float32"}, Access::read);
    check_shape(array, name, {-1, -1});
    return array.shape(0);
}

const float* floats(const py::object& object, const std::string& name,
                    const std::vector<std::int64_t>& shape) {
    return read_only<float>(object, name, {"float32"}, shape);
}

}  // namespace embody::bind
