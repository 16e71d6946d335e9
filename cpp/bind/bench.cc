// What only benchmarks call.
#include "base/check.h"
#include "bench/gae_limit.h"
#include "bench/legged.h"
#include "bind/arrays.h"
#include "bind/rollouts.h"

namespace embody::bind {
namespace {

// The arrays are checked once, as an evaluator's are.
class BoundLegged {
  public:
    BoundLegged(const py::object& rows, const py::object& joints, const py::object& weights,
                float dt, const py::object& raw, const py::object& weighted,
                const py::object& total, int threads)
        : kept_(py::make_tuple(rows, joints, weights, raw, weighted, total)), threads_(threads) {
        if (threads < 1 || threads > 1024) {
            fail("threads: expected 1 to 1024, got ", threads);
        }
        arrays_.rows = read_only<float>(rows, "rows", {"float32"}, {-1, 100});
        n_ = py::reinterpret_borrow<py::array>(rows).shape(0);
        arrays_.joints = read_only<float>(joints, "joints", {"float32"}, {3, 12});
        arrays_.weights = read_only<float>(weights, "weights", {"float32"}, {12});
        arrays_.dt = dt;
        arrays_.raw = writable<float>(raw, "raw", "float32", {n_, 12});
        arrays_.weighted = writable<float>(weighted, "weighted", "float32", {n_, 12});
        arrays_.total = writable<float>(total, "total", "float32", {n_});
    }

    void step() const {
        const py::gil_scoped_release unlocked;
        legged_terms(arrays_, n_, threads_);
    }

  private:
    py::tuple kept_;
    LeggedRows arrays_;
    std::int64_t n_ = 0;
    int threads_;
};

void bind_gae_limit(const py::object& rewards, const py::object& values,
                    const py::object& next_values, const py::object& terminated,
                    const py::object& truncated, float gamma, float lam,
                    const py::object& advantages, const py::object& returns, int threads) {
    const Rollout rollout = read_rows(rewards, terminated, truncated);
    const std::vector<std::int64_t> shape = cube(rewards, "rewards");
    if (shape[2] > 4) {
        fail("rewards: expected 1 to 4 channels, got ", shape[2]);
    }
    GaeLimit a{shape[0], shape[1], shape[2], rollout.rewards};
    a.values = read_only<float>(values, "values", {"float32"}, shape);
    a.next_values = read_only<float>(next_values, "next_values", {"float32"}, shape);
    a.terminated = rollout.terminated;
    a.truncated = rollout.truncated;
    a.gamma = gamma;
    a.lam = lam;
    const AdvantageArrays out = writable_apart(advantages, returns, rewards, values, next_values);
    a.advantages = out.advantages;
    a.returns = out.returns;
    check_threads(threads);
    const py::gil_scoped_release unlocked;
    gae_limit(a, threads);
}

}  // namespace

void register_bench(py::module_& module) {
    py::class_<BoundLegged>(module, "LeggedTerms",
                            "The limit of `bench reward`: twelve legged terms written by hand.")
        .def(py::init<const py::object&, const py::object&, const py::object&, float,
                      const py::object&, const py::object&, const py::object&, int>(),
             py::arg("rows"), py::arg("joints"), py::arg("weights"), py::arg("dt"), py::arg("raw"),
             py::arg("weighted"), py::arg("total"), py::arg("threads") = 1)
        .def("step", &BoundLegged::step,
             "Writes raw and weighted [N, 12] and total [N] for rows [N, 100].");
    module.def(
        "gae_limit", &bind_gae_limit, py::arg("rewards"), py::arg("values"), py::arg("next_values"),
        py::arg("terminated"), py::arg("truncated"), py::arg("gamma"), py::arg("lam"),
        py::arg("advantages"), py::arg("returns"), py::arg("threads") = 1,
        "The limit of `bench returns`: writes advantages and returns [T, N, C], C at most 4.");
}

}  // namespace embody::bind
