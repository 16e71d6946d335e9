// evaluate_log: shapes and dtypes are checked, the GIL is released, the core is called.
#include "program/log.h"

#include "base/check.h"
#include "bind/arrays.h"

namespace embody::bind {
namespace {

// [T, N, width] as rows of the first step and the bytes to the next one.
LogInput log_input(const py::array& array, const std::string& name, const Log& log,
                   std::int64_t width) {
    check_shape(array, name, {log.steps, log.rows, width});
    if (width > 1 && array.strides(2) != array.itemsize()) {
        fail(name, ": expected columns side by side (stride ", array.itemsize(),
             " bytes), got a stride of ", array.strides(2), " bytes");
    }
    LogInput out;
    out.rows.data = static_cast<const std::byte*>(array.data());
    out.rows.row_stride = array.strides(1);
    out.rows.width = width;
    out.rows.dtype = array_dtype(array);
    out.step = array.strides(0);
    return out;
}

void read_inputs(const Program& program, const py::list& inputs, Log& log) {
    check_count("inputs", inputs.size(), program.inputs());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const InputSpec& spec = program.inputs()[i];
        const std::string name = "input '" + spec.name + "'";
        const py::array array =
            check_array(inputs[i], name, {"float32", "float64", "uint8", "bool"}, Access::read);
        log.inputs.push_back(log_input(array, name, log, spec.width));
    }
}

// [T, N, width] or, for sets of parameters, [P, T, N, width].
void read_outputs(const Program& program, const py::list& outputs, Log& log) {
    check_count("outputs", outputs.size(), program.groups());
    for (std::size_t g = 0; g < outputs.size(); ++g) {
        const GroupSpec& spec = program.groups()[g];
        const std::string name = "output '" + spec.name + "'";
        py::array array = check_array(outputs[g], name, group_dtypes(spec.dtype), Access::write);
        const std::vector<std::int64_t> shape = {log.sets, log.steps, log.rows, spec.width};
        check_shape(array, name, {shape.begin() + (program.sets() ? 0 : 1), shape.end()});
        check_contiguous(array, name);
        LogOutput out;
        out.rows.data = static_cast<std::byte*>(array.mutable_data());
        out.rows.width = spec.width;
        out.rows.row_stride = spec.width * size_of(spec.dtype);
        out.step = out.rows.row_stride * log.rows;
        out.set = out.step * log.steps;
        log.outputs.push_back(out);
    }
}

State* read_state(const py::object& state, const Program& program, const Log& log) {
    if (state.is_none()) {
        return nullptr;
    }
    if (!py::isinstance<State>(state)) {
        throw py::type_error(text("state: expected a State or None, got ", type_name(state)));
    }
    auto& memory = state.cast<State&>();
    if (program.sets()) {
        fail("state: expected None for sets of parameters, which have a memory each");
    }
    if (memory.slots() != program.state_slots() || memory.n() != log.rows) {
        fail("state: expected ", program.state_slots(), " slots of ", log.rows,
             " environments, got ", memory.slots(), " of ", memory.n());
    }
    return &memory;
}

void bind_log(const Program& program, const py::object& state, const py::list& inputs,
              const py::list& outputs, const py::object& params, const py::object& resets,
              const py::object& flags, const py::object& bad_term, int threads) {
    if (threads < 1 || threads > 1024) {
        fail("threads: expected 1 to 1024, got ", threads);
    }
    Log log;
    const py::array mask = check_array(resets, "resets", {"bool"}, Access::read);
    log.resets = read_only<std::uint8_t>(resets, "resets", {"bool"}, {-1, -1});
    log.steps = mask.shape(0);
    log.rows = mask.shape(1);
    const auto count = static_cast<std::int64_t>(program.params().size());
    if (program.sets()) {
        log.params = read_only<float>(params, "params", {"float32"}, {-1, count});
        log.sets = py::reinterpret_borrow<py::array>(params).shape(0);
    } else {
        log.params = read_only<float>(params, "params", {"float32"}, {count});
    }
    log.flags = writable<std::uint32_t>(flags, "flags", "uint32", {log.steps, log.rows});
    if (!bad_term.is_none()) {
        log.bad_term = writable<std::int32_t>(bad_term, "bad_term", "int32", {log.steps, log.rows});
    }
    read_inputs(program, inputs, log);
    read_outputs(program, outputs, log);
    State* memory = read_state(state, program, log);
    const py::gil_scoped_release unlocked;
    evaluate_log(program, memory, log, threads);
}

}  // namespace

void register_log(py::module_& module) {
    module.def("evaluate_log", &bind_log, py::arg("program"), py::arg("state"), py::arg("inputs"),
               py::arg("outputs"), py::arg("params"), py::arg("resets"), py::arg("flags"),
               py::arg("bad_term"), py::arg("threads") = 1,
               "Evaluates [T, N] rows with memory carried from step to step. Rows where resets "
               "[T, N] says so start an episode. A program built for sets takes params [P, "
               "parameters] and writes [P, T, N, width].");
}

}  // namespace embody::bind
