// Gates: shapes are checked, the GIL is released, the core is called.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/check.h"
#include "bind/arrays.h"
#include "bind/rollouts.h"
#include "returns/gates.h"

namespace embody::bind {
namespace {

template <class T>
std::vector<T> taken(const py::object& object, const std::string& name, const std::string& dtype,
                     std::int64_t channels) {
    const T* data = read_only<T>(object, name, {dtype}, {channels});
    return {data, data + channels};
}

std::vector<float> read_threshold(const py::object& object, std::int64_t channels) {
    const py::array array = check_array(object, "threshold", {"float32"}, Access::read);
    if (array.ndim() == 2) {
        check_shape(array, "threshold", {-1, channels});
    } else {
        check_shape(array, "threshold", {channels});
    }
    check_contiguous(array, "threshold");
    const auto* data = static_cast<const float*>(array.data());
    return {data, data + array.size()};
}

GateRules make_rules(const py::object& level, const py::object& agg, const py::object& threshold,
                     const py::object& strict, const py::object& mask, const py::object& mean,
                     const py::object& cap, const py::object& waits, const std::string& scope,
                     const std::string& place, const std::string& pending) {
    const py::array levels = check_array(level, "level", {"int32"}, Access::read);
    check_shape(levels, "level", {-1});
    const std::int64_t channels = levels.size();
    if (channels == 0) {
        fail("level: expected at least one channel, got an empty array");
    }
    GateRules rules;
    rules.level = taken<std::int32_t>(level, "level", "int32", channels);
    rules.aggregate = taken<std::uint8_t>(agg, "agg", "uint8", channels);
    rules.threshold = read_threshold(threshold, channels);
    rules.strict = taken<std::uint8_t>(strict, "strict", "uint8", channels);
    rules.mask = taken<std::uint8_t>(mask, "mask", "uint8", channels);
    rules.mean = taken<std::uint8_t>(mean, "mean", "uint8", channels);
    rules.cap = taken<float>(cap, "cap", "float32", channels);
    rules.waits = taken<std::uint8_t>(waits, "waits", "uint8", channels);
    for (const std::uint8_t code : rules.aggregate) {
        if (code > static_cast<std::uint8_t>(Aggregate::max)) {
            fail("agg: expected 0 (none), 1 (last), 2 (sum) or 3 (max), got ", int{code});
        }
    }
    static constexpr std::array<std::string_view, 2> kScopes = {"episode", "running"};
    static constexpr std::array<std::string_view, 2> kPlaces = {"steps", "terminal"};
    static constexpr std::array<std::string_view, 3> kPending = {"hold", "zero", "open"};
    rules.scope = static_cast<GateScope>(choice("scope", scope, kScopes));
    rules.place = static_cast<GatePlace>(choice("place", place, kPlaces));
    rules.pending = static_cast<GatePending>(choice("pending", pending, kPending));
    return rules;
}

GateState read_state(const py::dict& state, std::int64_t n, std::int64_t channels) {
    const auto at = [&](const char* name) -> py::object {
        if (!state.contains(name)) {
            fail("state: expected an array '", name, "', found none");
        }
        return state[name];
    };
    const std::vector<std::int64_t> cells = {n, channels};
    GateState out;
    out.measure = writable<double>(at("measure"), "state['measure']", "float64", cells);
    out.positive = writable<double>(at("positive"), "state['positive']", "float64", cells);
    out.held = writable<double>(at("held"), "state['held']", "float64", cells);
    out.latch = writable<std::uint8_t>(at("latch"), "state['latch']", "uint8", cells);
    out.length = writable<std::int32_t>(at("length"), "state['length']", "int32", {n});
    return out;
}

GateInput read_input(const GateRules& rules, const py::object& rewards,
                     const py::object& terminated, const py::object& truncated,
                     const py::object& valid, const py::object& conditions) {
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    const auto channels = static_cast<std::int64_t>(rules.level.size());
    if (shape[2] != channels) {
        fail("rewards: expected ", channels, " channels as the rules have, got ", shape[2]);
    }
    if (rules.per_environment() &&
        static_cast<std::int64_t>(rules.threshold.size()) != shape[1] * channels) {
        fail("threshold: expected ", shape[1], " rows, one an environment, got ",
             rules.threshold.size() / rules.level.size());
    }
    const std::vector<std::int64_t> rows = {shape[0], shape[1]};
    GateInput in;
    in.steps = shape[0];
    in.environments = shape[1];
    in.rewards = read_only<float>(rewards, "rewards", {"float32"}, shape);
    in.terminated = read_only<std::uint8_t>(terminated, "terminated", {"bool", "uint8"}, rows);
    in.truncated = read_only<std::uint8_t>(truncated, "truncated", {"bool", "uint8"}, rows);
    in.valid = flags_or_null(valid, "valid", rows);
    in.conditions = flags_or_null(conditions, "conditions", shape);
    return in;
}

template <class T>
py::array_t<T> table(const std::vector<T>& values, std::int64_t rows, std::int64_t columns) {
    const std::vector<std::int64_t> shape =
        columns == 0 ? std::vector{rows} : std::vector{rows, columns};
    py::array_t<T> out(shape);
    std::copy(values.begin(), values.end(), out.mutable_data());
    return out;
}

py::dict as_dict(const GateEpisodes& e, std::int64_t channels) {
    const auto count = static_cast<std::int64_t>(e.step.size());
    py::dict out;
    out["env"] = table(e.environment, count, 0);
    out["step"] = table(e.step, count, 0);
    out["length"] = table(e.length, count, 0);
    out["measure"] = table(e.measure, count, channels);
    out["lump"] = table(e.lump, count, channels);
    out["open"] = table(e.open, count, channels).attr("view")("bool");
    return out;
}

py::dict bind_gate_rewards(const GateRules& rules, const py::dict& state, const py::object& rewards,
                           const py::object& terminated, const py::object& truncated,
                           const py::object& gated, const py::object& gate, const py::object& valid,
                           const py::object& conditions, int threads) {
    const GateInput input = read_input(rules, rewards, terminated, truncated, valid, conditions);
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    const GateState kept = read_state(state, shape[1], shape[2]);
    auto* out = writable<float>(gated, "gated", "float32", shape);
    auto* open = writable<std::uint8_t>(gate, "gate", "uint8", shape);
    check_threads(threads);
    GateEpisodes episodes;
    {
        const py::gil_scoped_release unlocked;
        episodes = gate_rewards(rules, kept, input, out, open, threads);
    }
    return as_dict(episodes, shape[2]);
}

py::dict bind_gated_returns(const GateRules& rules, const py::dict& state,
                            const py::object& rewards, const py::object& values,
                            const py::object& next_values, const py::object& terminated,
                            const py::object& truncated, const py::object& gamma,
                            const py::object& lam, const py::object& advantages,
                            const py::object& returns, const py::object& valid,
                            const py::object& conditions, const py::object& episodic, int threads) {
    const GateInput input = read_input(rules, rewards, terminated, truncated, valid, conditions);
    const Rollout rollout =
        read_rollout(rewards, next_values, terminated, truncated, gamma, valid, episodic);
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    const GateState kept = read_state(state, shape[1], shape[2]);
    const auto* v = read_only<float>(values, "values", {"float32"}, shape);
    const auto* l = read_only<float>(lam, "lam", {"float32"}, {shape[2]});
    const AdvantageArrays out = writable_apart(advantages, returns, rewards, values, next_values);
    check_threads(threads);
    GateEpisodes episodes;
    {
        const py::gil_scoped_release unlocked;
        episodes =
            gated_returns(rules, kept, input, rollout, v, l, out.advantages, out.returns, threads);
    }
    py::dict out_dict = as_dict(episodes, shape[2]);
    out_dict["withheld"] = table(episodes.withheld, shape[2], 0);
    return out_dict;
}

}  // namespace

void register_gates(py::module_& module) {
    py::class_<GateRules>(module, "GateRules", "What the gates of C channels are told.")
        .def(py::init(&make_rules), py::arg("level"), py::arg("agg"), py::arg("threshold"),
             py::arg("strict"), py::arg("mask"), py::arg("mean"), py::arg("cap"), py::arg("waits"),
             py::arg("scope") = "episode", py::arg("place") = "steps", py::arg("pending") = "hold");
    module.def("gate_rewards", &bind_gate_rewards, py::arg("rules"), py::arg("state"),
               py::arg("rewards"), py::arg("terminated"), py::arg("truncated"), py::arg("gated"),
               py::arg("gate"), py::arg("valid") = py::none(), py::arg("conditions") = py::none(),
               py::arg("threads") = 1,
               "Writes gated rewards and gate rows [T, N, C], moves the state on, and gives back "
               "the ended episodes.");
    module.def("gated_returns", &bind_gated_returns, py::arg("rules"), py::arg("state"),
               py::arg("rewards"), py::arg("values"), py::arg("next_values"), py::arg("terminated"),
               py::arg("truncated"), py::arg("gamma"), py::arg("lam"), py::arg("advantages"),
               py::arg("returns"), py::arg("valid") = py::none(),
               py::arg("conditions") = py::none(), py::arg("episodic") = py::none(),
               py::arg("threads") = 1,
               "Writes advantages and returns [T, N, C] of gated rewards, moves the state on, and "
               "gives back the ended episodes, and what was withheld [C].");
}

}  // namespace embody::bind
