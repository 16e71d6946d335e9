// Groups and credit: shapes are checked, the GIL is released, the core is called.
#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.h"
#include "bind/arrays.h"
#include "bind/rollouts.h"
#include "returns/credit.h"
#include "returns/groups.h"

namespace embody::bind {
namespace {

void bind_groups(const py::object& rewards, const py::object& weights, const py::object& out,
                 const std::string& order, const std::string& style) {
    static constexpr std::array<std::string_view, 2> kOrders = {"normalise_then_sum",
                                                                "sum_then_normalise"};
    static constexpr std::array<std::string_view, 2> kStyles = {"grpo", "rloo"};
    const py::array array = check_array(rewards, "rewards", {"float64"}, Access::read);
    check_shape(array, "rewards", {-1, -1, -1});
    check_contiguous(array, "rewards");
    GroupRewards given;
    given.groups = array.shape(0);
    given.members = array.shape(1);
    given.channels = array.shape(2);
    given.rewards = static_cast<const double*>(array.data());
    given.weights = read_only<float>(weights, "weights", {"float32"}, {given.channels});
    auto* o = writable<double>(out, "out", "float64", {given.groups, given.members});
    check_apart(out, "out", rewards, "rewards");
    const bool sum_first = choice("order", order, kOrders) == 1;
    const bool leave_one_out = choice("style", style, kStyles) == 1;
    const py::gil_scoped_release unlocked;
    group_advantages(given, sum_first, leave_one_out, o);
}

void bind_redistribute(const py::object& rewards, const py::object& terminated,
                       const py::object& truncated, const std::string& how, const py::object& out,
                       const py::object& gamma, const py::object& weights, int threads) {
    static constexpr std::array<std::string_view, 4> kWays = {"uniform", "discounted", "last",
                                                              "given"};
    const auto credit = static_cast<Credit>(choice("how", how, kWays));
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    Rollout rollout = read_rows(rewards, terminated, truncated);
    if (credit == Credit::discounted) {
        rollout.gamma = read_only<float>(gamma, "gamma", {"float32"}, {shape[2]});
    }
    const float* w = nullptr;
    if (credit == Credit::given) {
        w = read_only<float>(weights, "weights", {"float32"}, {shape[0], shape[1]});
        if (std::any_of(w, w + shape[0] * shape[1], [](float x) { return !(x >= 0); })) {
            fail("weights: expected numbers of at least 0, got one that is not");
        }
    }
    auto* o = writable<float>(out, "out", "float32", shape);
    check_apart(out, "out", rewards, "rewards");
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    redistribute(rollout, credit, w, o, threads);
}

void bind_turns(const py::object& log_probs, const py::object& terminated,
                const py::object& truncated, const py::object& start, const py::object& before,
                const py::object& out) {
    const py::array array = check_array(log_probs, "log_probs", {"float32"}, Access::read);
    check_shape(array, "log_probs", {-1, -1});
    const std::vector<std::int64_t> rows = {array.shape(0), array.shape(1)};
    Rollout rollout;
    rollout.steps = rows[0];
    rollout.environments = rows[1];
    rollout.terminated = read_only<std::uint8_t>(terminated, "terminated", {"bool", "uint8"}, rows);
    rollout.truncated = read_only<std::uint8_t>(truncated, "truncated", {"bool", "uint8"}, rows);
    const auto* l = read_only<float>(log_probs, "log_probs", {"float32"}, rows);
    const auto* s = read_only<float>(start, "start", {"float32"}, {rows[1]});
    auto* b = writable<float>(before, "before", "float32", {rows[1]});
    auto* o = writable<float>(out, "out", "float32", rows);
    check_apart(out, "out", log_probs, "log_probs");
    check_apart(before, "before", start, "start");
    const py::gil_scoped_release unlocked;
    turn_rewards(rollout, l, s, b, o);
}

}  // namespace

void register_credit(py::module_& module) {
    module.def("group_advantages", &bind_groups, py::arg("rewards"), py::arg("weights"),
               py::arg("out"), py::arg("order") = "normalise_then_sum", py::arg("style") = "grpo",
               "Writes one advantage [B, G] for each rollout of a group, from rewards [B, G, C].");
    module.def("redistribute", &bind_redistribute, py::arg("rewards"), py::arg("terminated"),
               py::arg("truncated"), py::arg("how"), py::arg("out"), py::arg("gamma") = py::none(),
               py::arg("weights") = py::none(), py::arg("threads") = 1,
               "Spreads the rewards [T, N, C] of each episode over its steps.");
    module.def("turn_rewards", &bind_turns, py::arg("log_probs"), py::arg("terminated"),
               py::arg("truncated"), py::arg("start"), py::arg("before"), py::arg("out"),
               "Writes what each turn added to a log-probability [T, N].");
}

}  // namespace embody::bind
