// Checks of the caller's arrays. An error names the argument, what was expected and what was got;
// nothing is copied.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/view.h"

namespace embody::bind {

namespace py = pybind11;

enum class Access : std::uint8_t { read, write };

std::string type_name(const py::handle& object);

// The array itself. Throws TypeError when `object` is no array of one of the dtypes ("float32",
// ...), ValueError when it is read-only but has to be written or when its memory is not aligned.
py::array check_array(const py::handle& object, const std::string& name,
                      const std::vector<std::string>& dtypes, Access access);

// Throws ValueError unless the shape is the expected one (-1: any) and, where asked, the memory
// C-contiguous.
void check_shape(const py::array& array, const std::string& name,
                 const std::vector<std::int64_t>& expected);
void check_contiguous(const py::array& array, const std::string& name);

DType array_dtype(const py::array& array);

// The dtypes of arrays that a group may be written to.
std::vector<std::string> group_dtypes(DType dtype);

// Throws ValueError that lists the names unless there is one array for each of them.
template <class Spec>
void check_count(const char* what, std::size_t got, const std::vector<Spec>& specs) {
    if (got != specs.size()) {
        std::string names;
        for (const Spec& spec : specs) {
            names += (names.empty() ? "" : ", ") + spec.name;
        }
        fail(what, ": expected ", specs.size(), " arrays (", names, "), got ", got);
    }
}

// Rows of a [N, width] array, or of [N] for width 1; columns must lie side by side.
InputView input_rows(const py::array& array, const std::string& name, std::int64_t n,
                     std::int64_t width);
OutputView output_rows(py::array& array, const std::string& name, std::int64_t n,
                       std::int64_t width);

// A contiguous array of an exact dtype and shape.
template <class T>
const T* read_only(const py::handle& object, const std::string& name,
                   const std::vector<std::string>& dtypes, const std::vector<std::int64_t>& shape) {
    const py::array array = check_array(object, name, dtypes, Access::read);
    check_shape(array, name, shape);
    check_contiguous(array, name);
    return static_cast<const T*>(array.data());
}

template <class T>
T* writable(const py::handle& object, const std::string& name, const std::string& dtype,
            const std::vector<std::int64_t>& shape) {
    py::array array = check_array(object, name, {dtype}, Access::write);
    check_shape(array, name, shape);
    check_contiguous(array, name);
    return static_cast<T*>(array.mutable_data());
}

// Throws ValueError when two of the named contiguous arrays share memory and the first one is
// written.
void check_apart(const py::handle& written, const std::string& name, const py::handle& other,
                 const std::string& other_name);

void register_program(py::module_& module);
void register_credit(py::module_& module);
void register_gates(py::module_& module);
void register_returns(py::module_& module);
void register_bench(py::module_& module);
void register_log(py::module_& module);
void register_nn(py::module_& module);
void register_gradients(py::module_& module);
void register_world(py::module_& module);

}  // namespace embody::bind
