// Instructions before registers are handed out.
#pragma once

#include <cstdint>
#include <vector>

#include "program/instruction.h"

namespace embody {

// When an instruction runs: once a call or for every block; for every set of parameters or not.
enum class Phase : std::uint8_t { uniform, uniform_of_set, block, block_of_set };

// Lanes that an instruction writes, or a part of another value's lanes.
struct Value {
    std::int32_t lanes = 0;
    std::int32_t root = -1;  // the value of which this is a part; itself if it is none
    std::int32_t offset = 0;
    Phase phase = Phase::block;
    bool stored = false;     // read after the last instruction
    std::int32_t lane = -1;  // register
    std::int32_t last_use = 0;
};

struct Draft {
    Instruction instruction;  // without registers
    Phase phase = Phase::block;
    bool in_reset = false;
    std::int32_t target = -1;          // value; -1 where only extras are written
    std::vector<std::int32_t> extras;  // further values that are written, or -1
    std::vector<std::int32_t> args;    // values; a gather has one for every lane of its list
    double cost = 0;                   // nanoseconds for 64 rows
};

struct Drafts {
    std::vector<Value> values;
    std::vector<Draft> list;

    std::int32_t add_value(std::int32_t lanes, Phase phase);
    std::int32_t part(std::int32_t of, std::int32_t offset, std::int32_t lanes);

    // Orders the instructions by phase and gives every value its registers; how many there are.
    std::int64_t allocate();

    // The first register lane of a value, once registers are handed out.
    std::int32_t lane(std::int32_t id) const;

  private:
    void find_last_uses();
    void finish(Draft& draft) const;
};

}  // namespace embody
