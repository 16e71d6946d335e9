// Imagined rollouts: shapes are checked, the GIL is released, the core is called.
#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "bind/networks.h"
#include "bind/rollouts.h"
#include "world/rollout.h"

namespace embody::bind {
namespace {

constexpr std::array<std::string_view, 5> kPropagations = {"sampled", "elite", "mean", "select",
                                                           "softmax"};
constexpr std::array<std::string_view, 2> kOnReject = {"truncate", "terminate"};
constexpr std::array<std::string_view, 3> kPenalties = {"none", "aleatoric", "disagreement"};
constexpr std::array<std::string_view, 2> kPrecisions = {"float32", "bfloat16"};
constexpr std::array<std::string_view, 3> kSources = {"state", "action", "carried"};

using InputTuple = std::tuple<std::string, std::int64_t>;
// Judges, resamples, threshold, after, on_reject.
using FilterTuple =
    std::tuple<std::shared_ptr<Discriminators>, std::int64_t, float, std::int64_t, std::string>;

// The clock's column; columns and signs of observations and of actions.
using MirrorTuple = std::tuple<std::int64_t, std::vector<std::int64_t>, std::vector<float>,
                               std::vector<std::int64_t>, std::vector<float>>;

// The flat parameters of a network, and the network itself, checked.
std::pair<Network, const float*> read_parameters(const NetworkTuple& given,
                                                 const py::object& flat) {
    const Network network = read_network(given);
    const auto* f = read_only<float>(flat, "flat", {"float32"}, {-1});
    check_network(network, py::reinterpret_borrow<py::array>(flat).size());
    return {network, f};
}

std::shared_ptr<Ensemble> make_ensemble(const NetworkTuple& given, const py::object& flat,
                                        const py::object& mean, const py::object& inverse_std,
                                        const py::object& log_var_min,
                                        const py::object& log_var_max,
                                        const std::vector<std::int32_t>& elites,
                                        const std::vector<std::int64_t>& quaternions,
                                        const std::vector<std::int64_t>& truths) {
    const auto [network, f] = read_parameters(given, flat);
    const std::int64_t state = network.outputs() / 2;
    const EnsembleArrays arrays = {f,
                                   floats(mean, "mean", {network.inputs()}),
                                   floats(inverse_std, "inverse_std", {network.inputs()}),
                                   floats(log_var_min, "log_var_min", {state}),
                                   floats(log_var_max, "log_var_max", {state}),
                                   elites};
    return std::make_shared<Ensemble>(network, StateColumns{state, quaternions, truths}, arrays);
}

std::shared_ptr<Actor> make_actor(const NetworkTuple& given, const py::object& flat,
                                  const py::object& mean, const py::object& inverse_std, float clip,
                                  const py::object& std, float squashed,
                                  const std::optional<MirrorTuple>& mirror) {
    const auto [network, f] = read_parameters(given, flat);
    const auto* std_array = floats(std, "std", {-1});
    const std::int64_t drawn = py::reinterpret_borrow<py::array>(std).size();
    const std::int64_t actions = drawn > 0 ? drawn : network.outputs();
    ActorArrays arrays;
    arrays.flat = f;
    arrays.mean = floats(mean, "mean", {network.inputs()});
    arrays.inverse_std = floats(inverse_std, "inverse_std", {network.inputs()});
    arrays.clip = clip;
    arrays.std.assign(std_array, std_array + drawn);
    ActorMirror own;
    if (mirror.has_value()) {
        std::tie(own.clock, own.observation_index, own.observation_sign, own.action_index,
                 own.action_sign) = *mirror;
    }
    return std::make_shared<Actor>(network, arrays, actions, squashed, own);
}

std::shared_ptr<Discriminators> make_discriminators(
    const NetworkTuple& given, const py::object& flat, std::int64_t state, const py::object& mean,
    const py::object& inverse_std, const py::object& data, const py::object& made, float clip) {
    const auto [network, f] = read_parameters(given, flat);
    return std::make_shared<Discriminators>(
        network, state,
        DiscriminatorArrays{f, floats(mean, "mean", {network.inputs()}),
                            floats(inverse_std, "inverse_std", {network.inputs()}),
                            floats(data, "data", {network.groups}),
                            floats(made, "made", {network.groups}), clip});
}

Filter read_filter(const std::optional<FilterTuple>& given, const Ensemble& ensemble,
                   Propagation propagation) {
    const bool judged = propagation == Propagation::select || propagation == Propagation::softmax;
    if (judged != given.has_value()) {
        fail("candidates: expected some for 'select' and 'softmax', and none otherwise");
    }
    if (!judged) {
        return {};
    }
    const auto& [judges, resamples, threshold, after, on_reject] = *given;
    if (resamples < 1 || resamples > 1024) {
        fail("resamples: expected 1 to 1024, got ", resamples);
    }
    if (judges->state() != ensemble.state() || judges->action() != ensemble.action()) {
        fail("candidates: expected ", ensemble.state(), " numbers of state and ", ensemble.action(),
             " of action, got ", judges->state(), " and ", judges->action());
    }
    return {judges, resamples, threshold, after,
            static_cast<OnReject>(choice("on_reject", on_reject, kOnReject))};
}

std::int64_t group_named(const Program& program, std::string_view name) {
    const std::vector<GroupSpec>& groups = program.groups();
    for (std::size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].name == name) {
            return static_cast<std::int64_t>(g);
        }
    }
    return -1;
}

std::int64_t source_width(Source source, const Ensemble& ensemble, std::int64_t carried) {
    return source == Source::state    ? ensemble.state()
           : source == Source::action ? ensemble.action()
                                      : carried;
}

RolloutProgram read_program(const std::shared_ptr<Program>& program,
                            const std::vector<InputTuple>& inputs, const std::string& observations,
                            const std::string& critic, const Ensemble& ensemble,
                            std::int64_t carried) {
    RolloutProgram out;
    if (program == nullptr) {
        return out;
    }
    out.program = program.get();
    check_count("inputs", inputs.size(), program->inputs());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto& [word, column] = inputs[i];
        const auto source = static_cast<Source>(choice("source", word, kSources));
        const std::int64_t end = column + program->inputs()[i].width;
        if (column < 0 || end > source_width(source, ensemble, carried)) {
            fail("input '", program->inputs()[i].name, "': expected columns within the ",
                 source_width(source, ensemble, carried), " of ", word, ", got [", column, ", ",
                 end, ")");
        }
        out.inputs.push_back({source, column});
    }
    out.observations = group_named(*program, observations);
    out.critic = group_named(*program, critic);
    out.channels = group_named(*program, "channels");
    out.terminated = group_named(*program, "terminated");
    return out;
}

// An output that may be missing.
template <class T>
T* wanted(const py::dict& outputs, const char* name, const char* dtype,
          const std::vector<std::int64_t>& shape) {
    return outputs.contains(name) ? writable<T>(outputs[name], name, dtype, shape) : nullptr;
}

void read_outputs(const py::dict& outputs, Imagination& rollout) {
    const std::int64_t l = rollout.settings.steps;
    const std::int64_t b = rollout.arrays.rows;
    const std::int64_t o = rollout.observation_width();
    RolloutArrays& arrays = rollout.arrays;
    arrays.observations = wanted<float>(outputs, "observations", "float32", {l, b, o});
    arrays.final_observations = wanted<float>(outputs, "final_observations", "float32", {b, o});
    const std::int64_t p = rollout.critic_width();
    arrays.critic_observations =
        wanted<float>(outputs, "critic_observations", "float32", {l, b, p});
    arrays.final_critic_observations =
        wanted<float>(outputs, "final_critic_observations", "float32", {b, p});
    arrays.actions =
        wanted<float>(outputs, "actions", "float32", {l, b, rollout.ensemble->action()});
    arrays.next_states =
        wanted<float>(outputs, "next_states", "float32", {l, b, rollout.ensemble->state()});
    arrays.channels =
        wanted<float>(outputs, "channels", "float32", {l, b, rollout.channel_width()});
    arrays.terminated = wanted<std::uint8_t>(outputs, "terminated", "bool", {l, b});
    arrays.valid = wanted<std::uint8_t>(outputs, "valid", "bool", {l, b});
    arrays.penalty = wanted<float>(outputs, "penalty", "float32", {l, b});
    arrays.member = wanted<std::int8_t>(outputs, "member", "int8", {l, b});
    arrays.credible = wanted<float>(outputs, "credible", "float32", {l, b});
    arrays.rejected = wanted<std::uint8_t>(outputs, "rejected", "bool", {b});
}

// Start states, what is carried, the actions before and, if there is no actor, those that follow,
// and the keys of random numbers.
void read_rows(const py::object& states, const py::object& carried, const py::object& before,
               const py::object& actions, const py::object& ids, Imagination& rollout) {
    RolloutArrays& arrays = rollout.arrays;
    const Ensemble& ensemble = *rollout.ensemble;
    arrays.rows = rows_of(states, "states");
    arrays.states = floats(states, "states", {arrays.rows, ensemble.state()});
    arrays.carried_rows = floats(carried, "carried", {-1, arrays.rows, -1});
    arrays.carried_steps = py::reinterpret_borrow<py::array>(carried).shape(0);
    arrays.carried = py::reinterpret_borrow<py::array>(carried).shape(2);
    if (arrays.carried_steps != 1 && arrays.carried_steps != rollout.settings.steps + 1) {
        fail("carried: expected those of 1 or of ", rollout.settings.steps + 1, " moments, got ",
             arrays.carried_steps);
    }
    arrays.before = floats(before, "before", {arrays.rows, ensemble.action()});
    arrays.ids = read_only<std::uint32_t>(ids, "ids", {"uint32"}, {arrays.rows});
    if (rollout.actor == nullptr) {
        arrays.given_actions =
            floats(actions, "actions", {arrays.rows, rollout.settings.steps, ensemble.action()});
    }
}

void check_actor(const Imagination& rollout) {
    if (rollout.actor == nullptr) {
        return;
    }
    const std::int64_t seen = rollout.actor->network().inputs();
    if (seen != rollout.observation_width() ||
        rollout.actor->actions() != rollout.ensemble->action()) {
        fail("actor: expected ", rollout.observation_width(), " inputs and ",
             rollout.ensemble->action(), " actions, got ", seen, " and ", rollout.actor->actions());
    }
}

std::int64_t bind_rollout(
    const std::shared_ptr<Ensemble>& ensemble, const std::shared_ptr<Actor>& actor,
    const std::shared_ptr<Program>& program, const std::vector<InputTuple>& inputs,
    const std::string& observations, const std::string& critic, const py::object& params,
    const py::object& states, const py::object& carried, const py::object& before,
    const py::object& actions, const py::object& ids, const py::dict& outputs, std::int64_t steps,
    std::uint64_t seed, const std::string& propagation, bool noise, const std::string& penalty,
    int threads, const std::optional<FilterTuple>& filter, const std::string& precision) {
    Imagination rollout;
    rollout.ensemble = ensemble;
    rollout.actor = actor;
    if (steps < 1 || steps > std::int64_t{1} << 20) {
        fail("steps: expected 1 to 2^20, got ", steps);
    }
    const auto how = static_cast<Propagation>(choice("propagation", propagation, kPropagations));
    rollout.settings = {seed,
                        steps,
                        how,
                        static_cast<Penalty>(choice("penalty", penalty, kPenalties)),
                        noise,
                        read_filter(filter, *ensemble, how),
                        static_cast<Precision>(choice("precision", precision, kPrecisions))};
    read_rows(states, carried, before, actions, ids, rollout);
    rollout.program =
        read_program(program, inputs, observations, critic, *ensemble, rollout.arrays.carried);
    if (program != nullptr) {
        const auto count = static_cast<std::int64_t>(program->params().size());
        rollout.arrays.params = floats(params, "params", {count});
    }
    check_actor(rollout);
    read_outputs(outputs, rollout);
    const int checked = checked_threads(threads);
    const py::gil_scoped_release unlocked;
    return rollout.arrays.rows == 0 ? 0 : run_rollout(rollout, checked);
}

}  // namespace

void register_world(py::module_& module) {
    py::class_<Ensemble, std::shared_ptr<Ensemble>>(
        module, "Ensemble",
        "Gaussian models of s' - s for normalised [s, a] [S + A], packed; immutable.")
        .def(py::init(&make_ensemble), py::arg("network"), py::arg("flat"), py::arg("mean"),
             py::arg("inverse_std"), py::arg("log_var_min"), py::arg("log_var_max"),
             py::arg("elites"), py::arg("quaternions"), py::arg("truths"));
    py::class_<Actor, std::shared_ptr<Actor>>(
        module, "Actor",
        "A policy of normalised observations [O], packed; immutable. std [A], or [0] for none; "
        "squashed: what the tanh of its outputs is multiplied by, 0 for none. mirror: the column "
        "below 0 "
        "in which rows are mirrored, then columns and signs of observations and of actions.")
        .def(py::init(&make_actor), py::arg("network"), py::arg("flat"), py::arg("mean"),
             py::arg("inverse_std"), py::arg("clip"), py::arg("std"), py::arg("squashed"),
             py::arg("mirror") = py::none());
    py::class_<Discriminators, std::shared_ptr<Discriminators>>(
        module, "Discriminators",
        "Networks that judge normalised [s, a, s' - s] [S + A + S], packed; immutable. data, made "
        "[G]: their mean logits of data and of what was made up.")
        .def(py::init(&make_discriminators), py::arg("network"), py::arg("flat"), py::arg("state"),
             py::arg("mean"), py::arg("inverse_std"), py::arg("data"), py::arg("made"),
             py::arg("clip"));
    module.def(
        "rollout", &bind_rollout, py::arg("ensemble").none(false), py::arg("actor"),
        py::arg("program"), py::arg("inputs"), py::arg("observations"), py::arg("critic"),
        py::arg("params"), py::arg("states"), py::arg("carried"), py::arg("before"),
        py::arg("actions"), py::arg("ids"), py::arg("outputs"), py::arg("steps"), py::arg("seed"),
        py::arg("propagation"), py::arg("noise"), py::arg("penalty"), py::arg("threads") = 1,
        py::arg("candidates") = py::none(), py::arg("precision") = "float32",
        "Imagines rows from states [B, S] through `steps` steps, writes the outputs that are asked "
        "for by name, and gives back how many rows left the finite numbers.");
}

}  // namespace embody::bind
