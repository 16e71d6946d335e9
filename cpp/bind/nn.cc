// Small networks: shapes are checked, the GIL is released, the core is called.
#include <numeric>

#include "base/check.h"
#include "base/thread_pool.h"
#include "bind/networks.h"
#include "nn/adam.h"
#include "nn/inference.h"
#include "nn/kernels.h"
#include "nn/sac.h"

namespace embody::bind {
namespace {

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

    void normalise(const py::object& mean, const py::object& inverse_std, float clip) {
        const std::int64_t inputs = inference_.network().inputs();
        const auto* m = floats(mean, "mean", {inputs});
        const auto* s = floats(inverse_std, "inverse_std", {inputs});
        if (!(clip > 0.0F)) {
            fail("clip: expected a number above 0, got ", clip);
        }
        inference_.normalise(m, s, clip);
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
               const py::object& square, double rate, std::int64_t number, double decay,
               double beta1, double beta2, float epsilon) {
    if (number < 1) {
        fail("number: expected that of a step, from 1 on, got ", number);
    }
    const py::array array = check_array(parameters, "parameters", {"float32"}, Access::write);
    const std::int64_t size = array.size();
    AdamStep step;
    step.count = size;
    step.parameters = writable<float>(parameters, "parameters", "float32", {size});
    step.gradient = read_only<float>(gradient, "gradient", {"float32"}, {size});
    step.mean = writable<float>(mean, "mean", "float32", {size});
    step.square = writable<float>(square, "square", "float32", {size});
    step.rate = rate;
    step.number = number;
    step.decay = decay;
    step.beta1 = beta1;
    step.beta2 = beta2;
    step.epsilon = epsilon;
    check_apart(parameters, "parameters", gradient, "gradient");
    check_apart(parameters, "parameters", mean, "mean");
    check_apart(parameters, "parameters", square, "square");
    check_apart(mean, "mean", gradient, "gradient");
    check_apart(mean, "mean", square, "square");
    check_apart(square, "square", gradient, "gradient");
    const py::gil_scoped_release unlocked;
    adam_step(step);
}

void bind_polyak(const py::object& target, const py::object& source, float rate) {
    const py::array array = check_array(target, "target", {"float32"}, Access::write);
    const std::int64_t size = array.size();
    auto* to = writable<float>(target, "target", "float32", {size});
    const auto* from = floats(source, "source", {size});
    check_apart(target, "target", source, "source");
    const py::gil_scoped_release unlocked;
    polyak(size, rate, from, to);
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
        .def("normalise", &BoundMlp::normalise, py::arg("mean"), py::arg("inverse_std"),
             py::arg("clip"),
             "Has forward see rows as (row - mean [I]) * inverse_std [I], within +-clip.")
        .def("forward", &BoundMlp::forward, py::arg("rows"), py::arg("out"),
             "Writes out [N, groups * outputs] for rows [N, inputs].");
    module.def(
        "multiply_adds", &bind_multiply_adds, py::arg("repeats"), py::arg("threads") = 1,
        "Multiplies and adds on registers as fast as the processor can; gives back how often.");
    module.def(
        "clip_rows", &bind_clip, py::arg("gradient"), py::arg("most"), py::arg("norms"),
        "Scales each row of gradient [G, P] to a norm of at most `most`; norms [G] are those "
        "before.");
    module.def(
        "adam_step", &bind_adam, py::arg("parameters"), py::arg("gradient"), py::arg("mean"),
        py::arg("square"), py::arg("rate"), py::arg("number"), py::arg("decay") = 0.0,
        py::arg("beta1") = 0.9, py::arg("beta2") = 0.999, py::arg("epsilon") = 1e-8,
        "Takes Adam's step of this number (1 is the first): moves parameters [P] against the "
        "gradient, its moments with it; decay shrinks parameters per unit of rate (AdamW).");
    module.def("polyak", &bind_polyak, py::arg("target"), py::arg("source"), py::arg("rate"),
               "target [P] += rate (source - target), in place.");
}

}  // namespace embody::bind
