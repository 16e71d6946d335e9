// Gradients of losses over minibatches: shapes are checked, the GIL is released, the core is
// called.
#include "base/check.h"
#include "bind/networks.h"
#include "nn/ppo.h"
#include "nn/regression.h"
#include "nn/sac.h"

namespace embody::bind {
namespace {

// The last axis of an array of this shape: the rows of a minibatch. At least one.
std::int64_t row_count(const py::object& index, const std::vector<std::int64_t>& shape) {
    const py::array array = check_array(index, "index", {"int64"}, Access::read);
    check_shape(array, "index", shape);
    const std::int64_t count = array.shape(array.ndim() - 1);
    if (count == 0) {
        fail("index: expected at least one row, got none");
    }
    return count;
}

const std::int64_t* read_index(const py::object& object, const std::vector<std::int64_t>& shape,
                               std::int64_t n) {
    const auto* index = read_only<std::int64_t>(object, "index", {"int64"}, shape);
    std::int64_t size = 1;
    for (const std::int64_t axis : shape) {
        size *= axis;
    }
    for (std::int64_t i = 0; i < size; ++i) {
        if (index[i] < 0 || index[i] >= n) {
            fail("index: expected rows from 0 to ", n - 1, ", got ", index[i]);
        }
    }
    return index;
}

class BoundPpo {
  public:
    BoundPpo(const NetworkTuple& actor, const NetworkTuple& critic, std::int64_t log_std,
             std::int64_t parameters, int threads)
        : gradient_({read_network(actor), read_network(critic), log_std, parameters},
                    checked_threads(threads)) {}

    void run(const py::object& flat, const py::object& observations,
             const py::object& critic_observations, const py::object& actions,
             const py::object& mean, const py::object& log_probs, const py::object& advantages,
             const py::object& targets, const py::object& log_std, const py::object& index,
             float clip, float log_ratio_clip, float entropy, float value_weight,
             const py::object& message) {
        const PpoNetworks& networks = gradient_.networks();
        const std::int64_t n = rows_of(observations, "observations");
        const std::int64_t a = networks.actor.outputs();
        const std::int64_t c = gradient_.channels();
        PpoBatch batch;
        batch.observations = floats(observations, "observations", {n, networks.actor.inputs()});
        batch.critic_observations =
            floats(critic_observations, "critic_observations", {n, networks.critic.inputs()});
        batch.actions = floats(actions, "actions", {n, a});
        batch.mean = floats(mean, "mean", {n, a});
        batch.log_probs = floats(log_probs, "log_probs", {n});
        batch.advantages = floats(advantages, "advantages", {n});
        batch.targets = floats(targets, "targets", {n, c});
        batch.log_std = floats(log_std, "log_std", {a});
        batch.count = row_count(index, {-1});
        batch.index = read_index(index, {batch.count}, n);
        const auto* f = floats(flat, "flat", {networks.parameters});
        auto* m = writable<float>(message, "message", "float32", {networks.parameters + 2 + c});
        check_apart(message, "message", flat, "flat");
        const py::gil_scoped_release unlocked;
        gradient_.run(f, batch, {clip, log_ratio_clip, entropy, value_weight}, m);
    }

  private:
    PpoGradient gradient_;
};

class BoundRegression {
  public:
    BoundRegression(const NetworkTuple& network, std::int64_t parameters, const std::string& loss,
                    std::int64_t bounds, int threads)
        : gradient_({read_network(network), loss_named(loss), bounds, parameters},
                    checked_threads(threads)) {}

    void run(const py::object& flat, const py::object& inputs, const py::object& targets,
             const py::object& index, const py::object& message, float huber, float bound_weight) {
        const RegressionShape& shape = gradient_.shape();
        const std::int64_t n = rows_of(inputs, "inputs");
        RegressionBatch batch;
        batch.inputs = floats(inputs, "inputs", {n, shape.network.inputs()});
        batch.sets = sets_of(targets);
        batch.targets = floats(targets, "targets", {n, batch.sets, shape.numbers()});
        const py::array array = check_array(index, "index", {"int64"}, Access::read);
        batch.index_of_group = array.ndim() == 2;
        batch.count = batch.index_of_group ? row_count(index, {shape.network.groups, -1})
                                           : row_count(index, {-1});
        batch.index = batch.index_of_group
                          ? read_index(index, {shape.network.groups, batch.count}, n)
                          : read_index(index, {batch.count}, n);
        const auto* f = floats(flat, "flat", {shape.parameters});
        auto* m = writable<float>(message, "message", "float32",
                                  {shape.parameters + shape.network.groups});
        check_apart(message, "message", flat, "flat");
        const py::gil_scoped_release unlocked;
        gradient_.run(f, batch, {huber, bound_weight}, m);
    }

  private:
    std::int64_t sets_of(const py::object& targets) const {
        const py::array array = check_array(targets, "targets", {"float32"}, Access::read);
        check_shape(array, "targets", {-1, -1, -1});
        const std::int64_t groups = gradient_.shape().network.groups;
        const std::int64_t sets = array.shape(1);
        if (sets < 1 || groups % sets != 0) {
            fail("targets: expected a number of sets that divides the ", groups, " groups, got ",
                 sets);
        }
        return sets;
    }

    RegressionGradient gradient_;
};

class BoundSac {
  public:
    BoundSac(const NetworkTuple& actor, const NetworkTuple& critic, std::int64_t channels,
             std::int64_t actor_parameters, std::int64_t critic_parameters, float low, float high,
             int threads)
        : gradient_({read_network(actor), read_network(critic), channels, actor_parameters,
                     critic_parameters, low, high},
                    checked_threads(threads)) {}

    void targets(const py::object& actor, const py::object& target_critics,
                 const py::object& observations, const py::object& critic_observations,
                 const py::object& noise, const py::object& rewards, const py::object& discount,
                 const py::object& out) {
        const SacNetworks& n = gradient_.networks();
        const SacRows rows = read_rows(observations, critic_observations, noise);
        const std::vector<std::int64_t> shape = {rows.count, n.channels};
        const auto* a = floats(actor, "actor", {n.actor_parameters});
        const auto* q = floats(target_critics, "target_critics", {n.critic_parameters});
        const auto* r = floats(rewards, "rewards", shape);
        const auto* d = floats(discount, "discount", shape);
        auto* y = writable<float>(out, "out", "float32", shape);
        check_apart(out, "out", rewards, "rewards");
        check_apart(out, "out", discount, "discount");
        const py::gil_scoped_release unlocked;
        gradient_.targets(a, q, rows, r, d, y);
    }

    void actor(const py::object& actor, const py::object& critics, const py::object& observations,
               const py::object& critic_observations, const py::object& noise,
               const py::object& weights, float temperature, const py::object& message) {
        const SacNetworks& n = gradient_.networks();
        const SacRows rows = read_rows(observations, critic_observations, noise);
        const auto* a = floats(actor, "actor", {n.actor_parameters});
        const auto* q = floats(critics, "critics", {n.critic_parameters});
        const auto* w = floats(weights, "weights", {n.channels});
        auto* m =
            writable<float>(message, "message", "float32", {n.actor_parameters + 2 + n.channels});
        check_apart(message, "message", actor, "actor");
        const py::gil_scoped_release unlocked;
        gradient_.actor(a, q, rows, w, temperature, m);
    }

  private:
    SacRows read_rows(const py::object& observations, const py::object& critic_observations,
                      const py::object& noise) const {
        const SacNetworks& n = gradient_.networks();
        SacRows rows;
        rows.count = rows_of(observations, "observations");
        if (rows.count == 0) {
            fail("observations: expected at least one row, got none");
        }
        rows.observations = floats(observations, "observations", {rows.count, n.actor.inputs()});
        rows.critic_observations = floats(critic_observations, "critic_observations",
                                          {rows.count, n.critic_observations()});
        rows.noise = floats(noise, "noise", {rows.count, n.actions()});
        return rows;
    }

    SacGradient gradient_;
};

}  // namespace

void register_gradients(py::module_& module) {
    py::class_<BoundPpo>(module, "PpoGradient", "The gradient of PPO's loss over a minibatch.")
        .def(py::init<const NetworkTuple&, const NetworkTuple&, std::int64_t, std::int64_t, int>(),
             py::arg("actor"), py::arg("critic"), py::arg("log_std"), py::arg("parameters"),
             py::arg("threads") = 1)
        .def("run", &BoundPpo::run, py::arg("flat"), py::arg("observations"),
             py::arg("critic_observations"), py::arg("actions"), py::arg("mean"),
             py::arg("log_probs"), py::arg("advantages"), py::arg("targets"), py::arg("log_std"),
             py::arg("index"), py::arg("clip"), py::arg("log_ratio_clip"), py::arg("entropy"),
             py::arg("value_weight"), py::arg("message"),
             "Writes gradient, KL, policy loss and value losses into message.");
    py::class_<BoundRegression>(module, "RegressionGradient",
                                "The gradient of a regression loss of grouped networks.")
        .def(py::init<const NetworkTuple&, std::int64_t, const std::string&, std::int64_t, int>(),
             py::arg("network"), py::arg("parameters"), py::arg("loss") = "squared",
             py::arg("bounds") = 0, py::arg("threads") = 1)
        .def(
            "run", &BoundRegression::run, py::arg("flat"), py::arg("inputs"), py::arg("targets"),
            py::arg("index"), py::arg("message"), py::arg("huber") = 1.0F,
            py::arg("bound_weight") = 0.0F,
            "Writes the gradient, then each group's loss, into message [P + G]; targets are [B, S, "
            "T], index is [M] or [G, M].");
    py::class_<BoundSac>(module, "SacGradient",
                         "Targets of critics and gradient of the actor of soft actor-critic.")
        .def(py::init<const NetworkTuple&, const NetworkTuple&, std::int64_t, std::int64_t,
                      std::int64_t, float, float, int>(),
             py::arg("actor"), py::arg("critic"), py::arg("channels"), py::arg("actor_parameters"),
             py::arg("critic_parameters"), py::arg("low") = -5.0F, py::arg("high") = 2.0F,
             py::arg("threads") = 1)
        .def("targets", &BoundSac::targets, py::arg("actor"), py::arg("target_critics"),
             py::arg("observations"), py::arg("critic_observations"), py::arg("noise"),
             py::arg("rewards"), py::arg("discount"), py::arg("out"),
             "Writes the critics' targets [M, C] of the successors' observations.")
        .def("actor", &BoundSac::actor, py::arg("actor"), py::arg("critics"),
             py::arg("observations"), py::arg("critic_observations"), py::arg("noise"),
             py::arg("weights"), py::arg("temperature"), py::arg("message"),
             "Writes gradient, loss, mean log pi and mean least Q into message [P + 2 + C].");
}

}  // namespace embody::bind
