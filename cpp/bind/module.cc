// The Python module: registration only.
#include <pybind11/pybind11.h>

#include <string>

#include "base/simd.h"
#include "bind/arrays.h"

PYBIND11_MODULE(_core, module) {
    module.doc() =
        "The C++ core of pyembody: programs, returns and advantages, small networks, imagined "
        "rollouts.";
    module.attr("__version__") = EMBODY_VERSION;
    module.def(
        "simd_level", [] { return std::string(embody::simd_name(embody::simd_level())); },
        "The SIMD level in use: 'generic', 'avx2' or 'avx512'.");
    embody::bind::register_program(module);
    embody::bind::register_gates(module);
    embody::bind::register_credit(module);
    embody::bind::register_returns(module);
    embody::bind::register_bench(module);
    embody::bind::register_log(module);
    embody::bind::register_nn(module);
    embody::bind::register_gradients(module);
    embody::bind::register_world(module);
}
