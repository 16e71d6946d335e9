// Returns and advantages: shapes are checked, the GIL is released, the core is called.
#include <pybind11/stl.h>

#include "base/check.h"
#include "bind/arrays.h"
#include "bind/rollouts.h"
#include "returns/advantages.h"
#include "returns/gae.h"

namespace embody::bind {
namespace {

void bind_gae(const py::object& rewards, const py::object& values, const py::object& next_values,
              const py::object& terminated, const py::object& truncated, const py::object& gamma,
              const py::object& lam, const py::object& advantages, const py::object& returns,
              int threads, const py::object& valid, const py::object& episodic) {
    const Rollout rollout =
        read_rollout(rewards, next_values, terminated, truncated, gamma, valid, episodic);
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    const auto* v = read_only<float>(values, "values", {"float32"}, shape);
    const auto* l = read_only<float>(lam, "lam", {"float32"}, {shape[2]});
    const AdvantageArrays out = writable_apart(advantages, returns, rewards, values, next_values);
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    gae(rollout, v, l, out.advantages, out.returns, threads);
}

// The array to be written, which shares no memory with what is read.
float* apart_returns(const py::object& returns, const py::object& rewards,
                     const py::object& next_values) {
    auto* r = writable<float>(returns, "returns", "float32", cube(rewards, "rewards"));
    check_apart(returns, "returns", rewards, "rewards");
    check_apart(returns, "returns", next_values, "next_values");
    return r;
}

void bind_discounted(const py::object& rewards, const py::object& next_values,
                     const py::object& terminated, const py::object& truncated,
                     const py::object& gamma, const py::object& returns, int threads,
                     const py::object& valid, const py::object& episodic) {
    const Rollout rollout =
        read_rollout(rewards, next_values, terminated, truncated, gamma, valid, episodic);
    float* r = apart_returns(returns, rewards, next_values);
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    discounted_returns(rollout, r, threads);
}

void bind_lambda(const py::object& rewards, const py::object& next_values,
                 const py::object& terminated, const py::object& truncated, const py::object& gamma,
                 const py::object& lam, const py::object& returns, int threads,
                 const py::object& valid, const py::object& episodic) {
    const Rollout rollout =
        read_rollout(rewards, next_values, terminated, truncated, gamma, valid, episodic);
    const auto* l = read_only<float>(lam, "lam", {"float32"}, {rollout.channels});
    float* r = apart_returns(returns, rewards, next_values);
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    lambda_returns(rollout, l, r, threads);
}

void bind_segments(const py::object& rewards, const py::object& ends, const py::object& gamma,
                   const py::object& returns, int threads) {
    const Rollout rollout =
        read_rollout(rewards, rewards, ends, ends, gamma, py::none(), py::none());
    float* r = apart_returns(returns, rewards, rewards);
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    segment_returns(rollout, rollout.terminated, r, threads);
}

py::array_t<double> bind_normalise(const py::object& advantages, const py::object& floor,
                                   const py::object& running_std, bool first, int threads,
                                   const py::object& valid) {
    const std::vector<std::int64_t> shape = cube(advantages, "advantages");
    auto* a = writable<float>(advantages, "advantages", "float32", shape);
    const auto* f = read_only<float>(floor, "floor", {"float32"}, {shape[2]});
    auto* s = writable<double>(running_std, "running_std", "float64", {shape[2]});
    const std::uint8_t* rows = flags_or_null(valid, "valid", {shape[0], shape[1]});
    check_threads(threads);
    std::vector<ChannelMoments> moments(static_cast<std::size_t>(shape[2]));
    {
        const py::gil_scoped_release unlocked;
        normalise_advantages(a, shape[0] * shape[1], shape[2], f, s, first, moments.data(), threads,
                             rows);
    }
    py::array_t<double> out({shape[2], std::int64_t{4}});
    auto cells = out.mutable_unchecked<2>();
    for (std::int64_t c = 0; c < shape[2]; ++c) {
        const ChannelMoments& m = moments[static_cast<std::size_t>(c)];
        cells(c, 0) = m.mean;
        cells(c, 1) = m.deviation;
        cells(c, 2) = m.divisor;
        cells(c, 3) = m.count;
    }
    return out;
}

void bind_combine(const py::object& advantages, const py::object& weights, bool renormalise,
                  const py::object& out, int threads, const py::object& valid) {
    const std::vector<std::int64_t> shape = cube(advantages, "advantages");
    const auto* a = read_only<float>(advantages, "advantages", {"float32"}, shape);
    const auto* w = read_only<float>(weights, "weights", {"float32"}, {shape[2]});
    auto* o = writable<float>(out, "out", "float32", {shape[0], shape[1]});
    check_apart(out, "out", advantages, "advantages");
    const std::uint8_t* rows = flags_or_null(valid, "valid", {shape[0], shape[1]});
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    combine(a, shape[0] * shape[1], shape[2], w, renormalise, o, threads, rows);
}

}  // namespace

void register_returns(py::module_& module) {
    module.def("gae", &bind_gae, py::arg("rewards"), py::arg("values"), py::arg("next_values"),
               py::arg("terminated"), py::arg("truncated"), py::arg("gamma"), py::arg("lam"),
               py::arg("advantages"), py::arg("returns"), py::arg("threads") = 1,
               py::arg("valid") = py::none(), py::arg("episodic") = py::none(),
               "Writes advantages and returns [T, N, C]; terminated wins over truncated.");
    module.def("discounted_returns", &bind_discounted, py::arg("rewards"), py::arg("next_values"),
               py::arg("terminated"), py::arg("truncated"), py::arg("gamma"), py::arg("returns"),
               py::arg("threads") = 1, py::arg("valid") = py::none(),
               py::arg("episodic") = py::none(),
               "Writes discounted returns [T, N, C], bootstrapped where truncated and at the end.");
    module.def("lambda_returns", &bind_lambda, py::arg("rewards"), py::arg("next_values"),
               py::arg("terminated"), py::arg("truncated"), py::arg("gamma"), py::arg("lam"),
               py::arg("returns"), py::arg("threads") = 1, py::arg("valid") = py::none(),
               py::arg("episodic") = py::none(),
               "Writes lambda returns [T, N, C], bootstrapped where truncated and at the end.");
    module.def("segment_returns", &bind_segments, py::arg("rewards"), py::arg("ends"),
               py::arg("gamma"), py::arg("returns"), py::arg("threads") = 1,
               "Writes the discounted sum of rewards [T, N, C] from each step to the end of its "
               "segment.");
    module.def(
        "normalise_advantages", &bind_normalise, py::arg("advantages"), py::arg("floor"),
        py::arg("running_std"), py::arg("first"), py::arg("threads") = 1,
        py::arg("valid") = py::none(),
        "Normalises advantages [T, N, C] per channel in place; gives back [C, 4] float64: mean, "
        "deviation, divisor, count.");
    module.def("combine", &bind_combine, py::arg("advantages"), py::arg("weights"),
               py::arg("renormalise"), py::arg("out"), py::arg("threads") = 1,
               py::arg("valid") = py::none(),
               "Writes the weighted sum over channels into out [T, N].");
}

}  // namespace embody::bind
