// What only benchmarks call.
#include "base/check.h"
#include "bench/legged.h"
#include "bind/arrays.h"

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
}

}  // namespace embody::bind
