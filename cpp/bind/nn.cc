// Small networks: shapes are checked, the GIL is released, the core is called.
#include <pybind11/stl.h>

#include <numeric>
#include <tuple>

#include "base/check.h"
#include "base/thread_pool.h"
#include "bind/arrays.h"
#include "nn/adam.h"
#include "nn/inference.h"
#include "nn/kernels.h"
#include "nn/ppo.h"

namespace embody::bind {
namespace {

// groups, floats between groups, activation, layers of (in, out, weights at, biases at).
using LayerTuple = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
using NetworkTuple = std::tuple<std::int64_t, std::int64_t, std::string, std::vector<LayerTuple>>;

Network read_network(const NetworkTuple& given) {
    Network network;
    const auto& [groups, stride, activation, layers] = given;
    network.groups = groups;
    network.group_stride = stride;
    network.activation = activation_named(activation);
    for (const auto& [in, out, weights, biases] : layers) {
        network.layers.push_back({in, out, weights, biases});
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

class BoundMlp {
  public:
    BoundMlp(const NetworkTuple& network, std::int64_t parameters, int threads)
        : size_(parameters),
          inference_(read_network(network), parameters, checked_threads(threads)) {}

    void load(const py::object& flat) {
        const auto* f = read_only<float>(flat, "flat", {"float32"}, {size_});
        const py::gil_scoped_release unlocked;
        inference_.load(f);
    }

    void forward(const py::object& rows, const py::object& out) {
        const Network& network = inference_.network();
        const std::int64_t n = rows_of(rows, "rows");
        const auto* x = read_only<float>(rows, "rows", {"float32"}, {n, network.inputs()});
        auto* y = writable<float>(out, "out", "float32", {n, network.groups * network.outputs()});
        check_apart(out, "out", rows, "rows");
        const py::gil_scoped_release unlocked;
        inference_.forward(x, n, y);
    }

  private:
    std::int64_t size_;
    Inference inference_;
};

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
        read_index(index, n, batch);
        const auto* f = floats(flat, "flat", {networks.parameters});
        auto* m = writable<float>(message, "message", "float32", {networks.parameters + 2 + c});
        check_apart(message, "message", flat, "flat");
        const py::gil_scoped_release unlocked;
        gradient_.run(f, batch, {clip, log_ratio_clip, entropy, value_weight}, m);
    }

  private:
    static const float* floats(const py::object& object, const std::string& name,
                               const std::vector<std::int64_t>& shape) {
        return read_only<float>(object, name, {"float32"}, shape);
    }

    static void read_index(const py::object& object, std::int64_t n, PpoBatch& batch) {
        const py::array array = check_array(object, "index", {"int64"}, Access::read);
        check_shape(array, "index", {-1});
        batch.count = array.size();
        batch.index = read_only<std::int64_t>(object, "index", {"int64"}, {batch.count});
        if (batch.count == 0) {
            fail("index: expected at least one row, got none");
        }
        for (std::int64_t i = 0; i < batch.count; ++i) {
            if (batch.index[i] < 0 || batch.index[i] >= n) {
                fail("index: expected rows from 0 to ", n - 1, ", got ", batch.index[i]);
            }
        }
    }

    PpoGradient gradient_;
};

void bind_clip(const py::object& gradient, float most, const py::object& norms) {
    const py::array array = check_array(gradient, "gradient", {"float32"}, Access::write);
    check_shape(array, "gradient", {-1, -1});
    const std::int64_t rows = array.shape(0);
    const std::int64_t columns = array.shape(1);
    auto* g = writable<float>(gradient, "gradient", "float32", {rows, columns});
    auto* n = writable<float>(norms, "norms", "float32", {rows});
    check_apart(norms, "norms", gradient, "gradient");
    const py::gil_scoped_release unlocked;
    clip_rows(g, rows, columns, most, n);
}

void bind_adam(const py::object& parameters, const py::object& gradient, const py::object& mean,
               const py::object& square, float rate, float scale) {
    const py::array array = check_array(parameters, "parameters", {"float32"}, Access::write);
    const std::int64_t size = array.size();
    AdamStep step;
    step.count = size;
    step.parameters = writable<float>(parameters, "parameters", "float32", {size});
    step.gradient = read_only<float>(gradient, "gradient", {"float32"}, {size});
    step.mean = writable<float>(mean, "mean", "float32", {size});
    step.square = writable<float>(square, "square", "float32", {size});
    step.rate = rate;
    step.scale = scale;
    check_apart(parameters, "parameters", gradient, "gradient");
    check_apart(parameters, "parameters", mean, "mean");
    check_apart(parameters, "parameters", square, "square");
    check_apart(mean, "mean", gradient, "gradient");
    check_apart(mean, "mean", square, "square");
    check_apart(square, "square", gradient, "gradient");
    const py::gil_scoped_release unlocked;
    adam_step(step);
}

// Multiply-adds done by all threads together.
std::int64_t bind_multiply_adds(std::int64_t repeats, int threads) {
    std::vector<std::int64_t> done(static_cast<std::size_t>(checked_threads(threads)));
    const py::gil_scoped_release unlocked;
    parallel_for(threads, threads, [&](std::int64_t, std::int64_t, int chunk) {
        float sink[kLine] = {};
        done[static_cast<std::size_t>(chunk)] = network_kernels().multiply_adds(repeats, sink);
    });
    return std::accumulate(done.begin(), done.end(), std::int64_t{0});
}

}  // namespace

void register_nn(py::module_& module) {
    py::class_<BoundMlp>(module, "Mlp",
                         "Outputs of a group of equal multi-layer perceptrons whose parameters lie "
                         "in a flat array. One call at a time: calls share their buffers.")
        .def(py::init<const NetworkTuple&, std::int64_t, int>(), py::arg("network"),
             py::arg("parameters"), py::arg("threads") = 1)
        .def("load", &BoundMlp::load, py::arg("flat"),
             "Copies the network's parameters out of flat [parameters] for the forward calls.")
        .def("forward", &BoundMlp::forward, py::arg("rows"), py::arg("out"),
             "Writes out [N, groups * outputs] for rows [N, inputs].");
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
    module.def(
        "multiply_adds", &bind_multiply_adds, py::arg("repeats"), py::arg("threads") = 1,
        "Multiplies and adds on registers as fast as the processor can; gives back how often.");
    module.def(
        "clip_rows", &bind_clip, py::arg("gradient"), py::arg("most"), py::arg("norms"),
        "Scales each row of gradient [G, P] to a norm of at most `most`; norms [G] are those "
        "before.");
    module.def(
        "adam_step", &bind_adam, py::arg("parameters"), py::arg("gradient"), py::arg("mean"),
        py::arg("square"), py::arg("rate"), py::arg("scale"),
        "Moves parameters [P] against the gradient; rate is divided by 1 - beta1^t, scale is "
        "sqrt(1 - beta2^t).");
}

}  // namespace embody::bind
