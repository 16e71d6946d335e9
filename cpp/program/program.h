// An immutable compiled program: instructions, registers and state layout.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "program/instruction.h"
#include "program/spec.h"

namespace embody {

class Program {
  public:
    // Validates and compiles. Throws std::invalid_argument naming the node and the reason.
    explicit Program(ProgramSpec spec);

    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    const std::vector<InputSpec>& inputs() const { return inputs_; }
    const std::vector<GroupSpec>& groups() const { return groups_; }
    const std::vector<float>& params() const { return params_; }
    const std::vector<GroupTable>& tables() const { return tables_; }

    // Constants and what follows from constants and parameters alone: once a call.
    const std::vector<Instruction>& prologue() const { return prologue_; }
    // Every block of rows of a step, and the part of it that a reset needs.
    const std::vector<Instruction>& body() const { return body_; }
    const std::vector<std::int32_t>& reset_body() const { return reset_body_; }

    std::int64_t register_lanes() const { return register_lanes_; }
    std::int64_t state_slots() const { return state_slots_; }
    double dt() const { return dt_; }
    double block_nanoseconds() const { return block_nanoseconds_; }  // a rough cost of 64 rows

  private:
    friend class Compiler;

    std::vector<InputSpec> inputs_;
    std::vector<GroupSpec> groups_;
    std::vector<float> params_;
    double dt_;
    std::vector<std::unique_ptr<const Load>> loads_;
    std::vector<GroupTable> tables_;
    std::vector<Instruction> prologue_;
    std::vector<Instruction> body_;
    std::vector<std::int32_t> reset_body_;
    std::int64_t register_lanes_ = 0;
    std::int64_t state_slots_ = 0;
    double block_nanoseconds_ = 0;
};

}  // namespace embody
