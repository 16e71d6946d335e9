// An immutable compiled program: instructions, registers and state layout.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "program/compiler.h"
#include "program/spec.h"

namespace embody {

class Program {
  public:
    // Validates and compiles. Throws std::invalid_argument naming the node and the reason. With
    // `sets`, what depends on parameters is kept apart, to be run for many sets of them.
    explicit Program(ProgramSpec spec, bool sets = false);

    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    const std::vector<InputSpec>& inputs() const { return inputs_; }
    const std::vector<GroupSpec>& groups() const { return groups_; }
    const std::vector<float>& params() const { return params_; }
    const std::vector<GroupTable>& tables() const { return compiled_.tables; }

    const std::vector<Instruction>& instructions(Phase phase) const {
        return compiled_.phases[static_cast<std::size_t>(phase)];
    }
    // The indices of those that a reset needs.
    const std::vector<std::int32_t>& in_reset(Phase phase) const {
        return compiled_.in_reset[static_cast<std::size_t>(phase)];
    }

    std::int64_t register_lanes() const { return compiled_.register_lanes; }
    const std::vector<StateNode>& state_nodes() const { return compiled_.state_nodes; }
    std::int64_t state_slots() const { return compiled_.state_slots; }
    double dt() const { return dt_; }
    bool sets() const { return sets_; }
    const std::vector<std::int32_t>& set_lanes() const { return compiled_.set_lanes; }
    const std::vector<std::int32_t>& set_firsts() const { return compiled_.set_firsts; }
    const std::vector<std::int32_t>& set_rows() const { return compiled_.set_rows; }
    double block_nanoseconds() const {  // a rough cost of 64 rows
        return compiled_.block_nanoseconds;
    }

  private:
    Compiled compiled_;
    std::vector<InputSpec> inputs_;
    std::vector<GroupSpec> groups_;
    std::vector<float> params_;
    double dt_;
    bool sets_;
};

}  // namespace embody
