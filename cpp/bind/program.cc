// Program, State and Evaluator.
#include <pybind11/stl.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <tuple>

#include "base/check.h"
#include "bind/arrays.h"
#include "program/evaluator.h"

namespace embody::bind {
namespace {

using NodeTuple = std::tuple<std::string, std::vector<std::int64_t>, std::int64_t,
                             std::vector<std::int64_t>, std::vector<double>>;
using InputTuple = std::tuple<std::string, std::int64_t>;
using GroupTuple = std::tuple<std::string, std::int64_t, std::string, bool>;
using StoreTuple = std::tuple<std::int64_t, std::int64_t, std::int64_t>;

// One entry of a list. Throws TypeError naming the entry and the tuple it should be.
template <class Tuple>
Tuple entry(const py::handle& item, const char* what, std::size_t index, const char* expected) {
    try {
        return item.cast<Tuple>();
    } catch (const py::cast_error&) {
        throw py::type_error(text(what, " ", index, ": expected a tuple ", expected, ", got ",
                                  std::string(py::repr(item)).substr(0, 200)));
    }
}

DType group_dtype(const std::string& name, const std::string& dtype) {
    if (dtype != "f4" && dtype != "u1") {
        fail("group '", name, "': dtype: expected 'f4' or 'u1', got '", dtype, "'");
    }
    return dtype == "u1" ? DType::u1 : DType::f4;
}

ProgramSpec read_spec(const py::list& nodes, const py::list& inputs, const py::list& groups,
                      const py::list& stores) {
    ProgramSpec spec;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        auto [op, args, lanes, ints, floats] = entry<NodeTuple>(
            nodes[i], "node", i,
            "(str op, list[int] args, int lanes, list[int] ints, list[float] floats)");
        spec.nodes.push_back(
            {std::move(op), std::move(args), lanes, std::move(ints), std::move(floats)});
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        auto [name, width] = entry<InputTuple>(inputs[i], "input", i, "(str name, int width)");
        spec.inputs.push_back({std::move(name), width});
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
        auto [name, width, dtype, on_reset] = entry<GroupTuple>(
            groups[i], "group", i, "(str name, int width, str dtype, bool on_reset)");
        const DType type = group_dtype(name, dtype);
        spec.groups.push_back({std::move(name), width, type, on_reset});
    }
    for (std::size_t i = 0; i < stores.size(); ++i) {
        const auto [node, group, column] =
            entry<StoreTuple>(stores[i], "store", i, "(int node, int group, int column)");
        spec.stores.push_back({node, group, column});
    }
    return spec;
}

std::shared_ptr<Program> make_program(const py::list& nodes, const py::list& inputs,
                                      const py::list& groups, const py::list& stores,
                                      const py::object& params, double dt, bool sets) {
    ProgramSpec spec = read_spec(nodes, inputs, groups, stores);
    const py::array array = check_array(params, "params", {"float32"}, Access::read);
    const float* values = read_only<float>(params, "params", {"float32"}, {-1});
    spec.params.assign(values, values + array.size());
    spec.dt = dt;
    return std::make_shared<Program>(std::move(spec), sets);
}

// An evaluator and everything it reads or writes, kept alive together.
class BoundEvaluator {
  public:
    BoundEvaluator(std::shared_ptr<Program> program, const py::object& state,
                   const py::list& inputs, const py::list& outputs, const py::object& params,
                   const py::object& flags, const py::object& bad_term, int threads)
        : program_(std::move(program)),
          kept_(py::make_tuple(state, py::tuple(inputs), py::tuple(outputs), params, flags,
                               bad_term)) {
        if (threads < 1 || threads > 1024) {
            fail("threads: expected 1 to 1024, got ", threads);
        }
        if (!py::isinstance<State>(state)) {
            throw py::type_error(text("state: expected a State, got ", type_name(state)));
        }
        auto& memory = state.cast<State&>();
        n_ = memory.n();
        Bindings bindings;
        bind_inputs(inputs, bindings);
        bind_outputs(outputs, bindings);
        const auto count = static_cast<std::int64_t>(program_->params().size());
        bindings.params = read_only<float>(params, "params", {"float32"}, {count});
        bindings.flags = writable<std::uint32_t>(flags, "flags", "uint32", {n_});
        bindings.bad_term = writable<std::int32_t>(bad_term, "bad_term", "int32", {n_});
        evaluator_ = std::make_unique<Evaluator>(*program_, memory, std::move(bindings), threads);
    }

    void step() {
        const Turn turn(busy_);
        const py::gil_scoped_release unlocked;
        evaluator_->step();
    }

    void reset(const py::object& mask) {
        const auto* rows = read_only<std::uint8_t>(mask, "mask", {"bool"}, {n_});
        const Turn turn(busy_);
        const py::gil_scoped_release unlocked;
        evaluator_->reset(rows);
    }

  private:
    // Registers and state serve one call at a time; two Python threads get an error instead of a
    // race.
    class Turn {
      public:
        explicit Turn(std::atomic<bool>& busy) : busy_(busy) {
            if (busy_.exchange(true)) {
                throw std::runtime_error("evaluator: a call on another thread is still running");
            }
        }
        ~Turn() { busy_ = false; }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

      private:
        std::atomic<bool>& busy_;
    };

    void bind_inputs(const py::list& inputs, Bindings& bindings) const {
        check_count("inputs", inputs.size(), program_->inputs());
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const InputSpec& spec = program_->inputs()[i];
            const std::string name = "input '" + spec.name + "'";
            const py::array array =
                check_array(inputs[i], name, {"float32", "float64", "uint8", "bool"}, Access::read);
            bindings.inputs.push_back(input_rows(array, name, n_, spec.width));
        }
    }

    void bind_outputs(const py::list& outputs, Bindings& bindings) const {
        check_count("outputs", outputs.size(), program_->groups());
        for (std::size_t g = 0; g < outputs.size(); ++g) {
            const GroupSpec& spec = program_->groups()[g];
            const std::string name = "output '" + spec.name + "'";
            py::array array =
                check_array(outputs[g], name, group_dtypes(spec.dtype), Access::write);
            bindings.outputs.push_back(output_rows(array, name, n_, spec.width));
        }
    }

    std::shared_ptr<Program> program_;
    py::tuple kept_;
    std::int64_t n_ = 0;
    std::unique_ptr<Evaluator> evaluator_;
    std::atomic<bool> busy_{false};
};

std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>> state_nodes(
    const Program& program) {
    std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>> out;
    for (const StateNode& node : program.state_nodes()) {
        out.emplace_back(node.node, node.slot, node.slots);
    }
    return out;
}

py::array state_array(const py::object& self) {
    State& state = self.cast<State&>();
    return py::array_t<double>({state.slots(), state.n()}, state.data(), self);
}

}  // namespace

void register_program(py::module_& module) {
    py::class_<Program, std::shared_ptr<Program>>(
        module, "Program",
        "A compiled program: immutable, validated, shared by any number of states and evaluators.")
        .def(py::init(&make_program), py::arg("nodes"), py::arg("inputs"), py::arg("groups"),
             py::arg("stores"), py::arg("params"), py::arg("dt"), py::arg("sets") = false)
        .def_property_readonly("register_lanes", &Program::register_lanes,
                               "Registers of 64 floats in use at once.")
        .def_property_readonly("state_slots", &Program::state_slots,
                               "Doubles of state an environment.")
        .def_property_readonly("state_nodes", &state_nodes,
                               "(node, first slot, slots) of every node with memory.")
        .def_property_readonly(
            "instructions",
            [](const Program& p) {
                return p.instructions(Phase::uniform).size() + p.instructions(Phase::block).size();
            },
            "Instructions left after dead nodes are dropped.");
    py::class_<State>(module, "State",
                      "What the operations with memory know, [state_slots, n] float64.")
        .def(py::init<const Program&, std::int64_t>(), py::arg("program"), py::arg("n"))
        .def_property_readonly("array", &state_array, "A writable view [state_slots, n], float64.")
        .def_property_readonly("n", &State::n, "Environments.");
    py::class_<BoundEvaluator>(module, "Evaluator",
                               "A program bound to the arrays it reads and writes.")
        .def(py::init<std::shared_ptr<Program>, const py::object&, const py::list&, const py::list&,
                      const py::object&, const py::object&, const py::object&, int>(),
             py::arg("program").none(false), py::arg("state"), py::arg("inputs"),
             py::arg("outputs"), py::arg("params"), py::arg("flags"), py::arg("bad_term"),
             py::arg("threads") = 1)
        .def("step", &BoundEvaluator::step, "Evaluates all rows and writes all groups.")
        .def("reset", &BoundEvaluator::reset, py::arg("mask"),
             "Seeds the rows of mask [N] bool and writes their part of the groups with on_reset.");
}

}  // namespace embody::bind
