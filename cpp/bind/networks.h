// What callers say about their networks, and the arrays that go with them.
#pragma once

#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "bind/arrays.h"
#include "nn/network.h"

namespace embody::bind {

// groups, floats between groups, activation, layers of (in, out, weights at, biases at,
// and gains at and shifts at of a layer norm, or -1 twice).
using LayerTuple =
    std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
using NetworkTuple = std::tuple<std::int64_t, std::int64_t, std::string, std::vector<LayerTuple>>;

Network read_network(const NetworkTuple& given);

int checked_threads(int threads);

// Rows of a float32 array [N, any].
std::int64_t rows_of(const py::object& object, const std::string& name);

// A contiguous float32 array of this shape.
const float* floats(const py::object& object, const std::string& name,
                    const std::vector<std::int64_t>& shape);

}  // namespace embody::bind
