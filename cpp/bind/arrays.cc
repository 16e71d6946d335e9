#include "bind/arrays.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace embody::bind {
namespace {

// numpy's own name of the dtype; asking numpy costs more than a small kernel, so plain ones are
// named here.
std::string dtype_of(const py::array& array) {
    const py::dtype dtype = array.dtype();
    const char order = dtype.byteorder();
    const std::string bits = std::to_string(8 * dtype.itemsize());
    if (order == '=' || order == '|') {
        switch (dtype.kind()) {
            case 'f':
                return "float" + bits;
            case 'i':
                return "int" + bits;
            case 'u':
                return "uint" + bits;
            case 'b':
                return "bool";
            default:
                break;
        }
    }
    return py::str(py::object(dtype));
}

std::string list(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += out.empty() ? name : " or " + name;
    }
    return out;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::string out = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        out += (i > 0 ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
    }
    return out + (shape.size() == 1 ? ",)" : ")");
}

std::vector<std::int64_t> shape_of(const py::array& array) {
    return {array.shape(), array.shape() + array.ndim()};
}

void check_rows(const py::array& array, const std::string& name, std::int64_t n,
                std::int64_t width) {
    const std::vector<std::int64_t> got = shape_of(array);
    const bool flat = got == std::vector<std::int64_t>{n} && width == 1;
    if (!flat && got != std::vector<std::int64_t>{n, width}) {
        fail(name, ": expected shape ", shape_text({n, width}), ", got ", shape_text(got));
    }
    if (!flat && width > 1 && array.strides(1) != array.itemsize()) {
        fail(name, ": expected columns side by side (stride ", array.itemsize(),
             " bytes), got a stride of ", array.strides(1), " bytes");
    }
}

}  // namespace

std::string type_name(const py::handle& object) {
    return py::str(py::type::handle_of(object).attr("__name__"));
}

py::array check_array(const py::handle& object, const std::string& name,
                      const std::vector<std::string>& dtypes, Access access) {
    if (!py::isinstance<py::array>(object)) {
        throw py::type_error(
            text(name, ": expected a numpy array of ", list(dtypes), ", got ", type_name(object)));
    }
    py::array array = py::reinterpret_borrow<py::array>(object);
    const std::string got = dtype_of(array);
    if (std::find(dtypes.begin(), dtypes.end(), got) == dtypes.end()) {
        throw py::type_error(text(name, ": expected dtype ", list(dtypes), ", got ", got));
    }
    if (access == Access::write && !array.writeable()) {
        fail(name, ": expected a writable array, got a read-only one");
    }
    if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) {
        fail(name, ": expected aligned memory, got an array whose elements are not aligned");
    }
    return array;
}

void check_shape(const py::array& array, const std::string& name,
                 const std::vector<std::int64_t>& expected) {
    const std::vector<std::int64_t> got = shape_of(array);
    bool same = got.size() == expected.size();
    for (std::size_t i = 0; same && i < got.size(); ++i) {
        same = expected[i] < 0 || got[i] == expected[i];
    }
    if (!same) {
        fail(name, ": expected shape ", shape_text(expected), ", got ", shape_text(got));
    }
}

void check_contiguous(const py::array& array, const std::string& name) {
    if ((array.flags() & py::array::c_style) == 0) {
        fail(name, ": expected a C-contiguous array, got a strided one");
    }
}

DType array_dtype(const py::array& array) {
    return array.itemsize() == 8 ? DType::f8 : array.itemsize() == 4 ? DType::f4 : DType::u1;
}

std::vector<std::string> group_dtypes(DType dtype) {
    return dtype == DType::u1 ? std::vector<std::string>{"bool", "uint8"}
                              : std::vector<std::string>{"float32"};
}

InputView input_rows(const py::array& array, const std::string& name, std::int64_t n,
                     std::int64_t width) {
    check_rows(array, name, n, width);
    InputView view;
    view.data = static_cast<const std::byte*>(array.data());
    view.row_stride = array.strides(0);
    view.width = width;
    view.dtype = array_dtype(array);
    return view;
}

OutputView output_rows(py::array& array, const std::string& name, std::int64_t n,
                       std::int64_t width) {
    check_rows(array, name, n, width);
    if (n > 1 && std::llabs(array.strides(0)) < width * array.itemsize()) {
        fail(name, ": expected rows that do not overlap, got a row stride of ", array.strides(0),
             " bytes");
    }
    OutputView view;
    view.data = static_cast<std::byte*>(array.mutable_data());
    view.row_stride = array.strides(0);
    view.width = width;
    return view;
}

void check_apart(const py::handle& written, const std::string& name, const py::handle& other,
                 const std::string& other_name) {
    const auto a = py::reinterpret_borrow<py::array>(written);
    const auto b = py::reinterpret_borrow<py::array>(other);
    const auto* first = static_cast<const std::byte*>(a.data());
    const auto* second = static_cast<const std::byte*>(b.data());
    if (first < second + b.nbytes() && second < first + a.nbytes()) {
        fail(name, ": expected memory of its own, got memory shared with ", other_name);
    }
}

}  // namespace embody::bind
