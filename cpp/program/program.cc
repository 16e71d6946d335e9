#include "program/program.h"

namespace embody {

Program::Program(ProgramSpec spec, bool sets)
    : compiled_(Compiler(spec, sets).run()), dt_(spec.dt), sets_(sets) {
    inputs_ = std::move(spec.inputs);
    groups_ = std::move(spec.groups);
    params_ = std::move(spec.params);
}

}  // namespace embody
