#include "bind/rollouts.h"

#include <algorithm>

#include "base/check.h"

namespace embody::bind {

std::vector<std::int64_t> cube(const py::object& object, const std::string& name) {
    const py::array array = check_array(object, name, {"float32"}, Access::read);
    check_shape(array, name, {-1, -1, -1});
    if (array.size() == 0) {
        fail(name, ": expected at least one step, environment and channel, got an empty array");
    }
    return {array.shape(), array.shape() + 3};
}

int check_threads(int threads) {
    if (threads < 1 || threads > 1024) {
        fail("threads: expected 1 to 1024, got ", threads);
    }
    return threads;
}

std::uint8_t choice(const std::string& name, std::string_view value,
                    std::span<const std::string_view> legal) {
    const auto found = std::find(legal.begin(), legal.end(), value);
    if (found == legal.end()) {
        fail(name, ": unknown value '", value, "'", suggestion(value, legal));
    }
    return static_cast<std::uint8_t>(found - legal.begin());
}

const std::uint8_t* flags_or_null(const py::object& object, const std::string& name,
                                  const std::vector<std::int64_t>& shape) {
    return object.is_none() ? nullptr
                            : read_only<std::uint8_t>(object, name, {"bool", "uint8"}, shape);
}

Rollout read_rows(const py::object& rewards, const py::object& terminated,
                  const py::object& truncated) {
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    const std::vector<std::int64_t> rows = {shape[0], shape[1]};
    Rollout out;
    out.steps = shape[0];
    out.environments = shape[1];
    out.channels = shape[2];
    out.rewards = read_only<float>(rewards, "rewards", {"float32"}, shape);
    out.terminated = read_only<std::uint8_t>(terminated, "terminated", {"bool", "uint8"}, rows);
    out.truncated = read_only<std::uint8_t>(truncated, "truncated", {"bool", "uint8"}, rows);
    return out;
}

Rollout read_rollout(const py::object& rewards, const py::object& next_values,
                     const py::object& terminated, const py::object& truncated,
                     const py::object& gamma, const py::object& valid, const py::object& episodic) {
    Rollout out = read_rows(rewards, terminated, truncated);
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    const std::vector<std::int64_t> rows = {shape[0], shape[1]};
    out.next_values = read_only<float>(next_values, "next_values", {"float32"}, shape);
    out.gamma = read_only<float>(gamma, "gamma", {"float32"}, {shape[2]});
    out.valid = flags_or_null(valid, "valid", rows);
    out.episodic = flags_or_null(episodic, "episodic", {shape[2]});
    return out;
}

AdvantageArrays writable_apart(const py::object& advantages, const py::object& returns,
                               const py::object& rewards, const py::object& values,
                               const py::object& next_values) {
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    AdvantageArrays out;
    out.advantages = writable<float>(advantages, "advantages", "float32", shape);
    out.returns = writable<float>(returns, "returns", "float32", shape);
    check_apart(advantages, "advantages", returns, "returns");
    for (const auto& [name, input] :
         {std::pair{"rewards", rewards}, {"values", values}, {"next_values", next_values}}) {
        check_apart(advantages, "advantages", input, name);
        check_apart(returns, "returns", input, name);
    }
    return out;
}

}  // namespace embody::bind
