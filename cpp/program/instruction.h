// The flat form of a program: what the block evaluator runs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "base/view.h"

namespace embody {

// Up to four neighbouring columns, read as four from `column` on where the array has as many; the
// lanes [skip, skip + take) of them are kept.
struct Run {
    std::int32_t column = 0;
    std::int32_t skip = 0;
    std::int32_t take = 0;
    std::int32_t lane = 0;  // where they go
    bool narrow = false;    // the array has fewer than four columns
};

// Columns of one bound array.
struct Load {
    std::int32_t slot = 0;
    std::vector<std::int32_t> columns;
    std::vector<Run> runs;
};

// One output group: for each column the register lane that goes there, or -1 when no node is
// stored.
struct GroupTable {
    std::vector<std::int32_t> lanes;
    DType dtype = DType::f4;
    bool on_reset = false;
};

// What one thread works on: up to 64 rows, by index. A step takes neighbours; a reset takes the
// masked rows packed together.
struct Block {
    float* registers = nullptr;     // [lanes][64]
    const float* params = nullptr;  // [P]
    const InputView* inputs = nullptr;
    double* state = nullptr;        // [slots][N]
    std::int64_t state_stride = 0;  // N
    std::int64_t state_first = 0;   // the row that the state's first column belongs to
    double dt = 0;
    bool neighbours = false;  // the block is full and its rows follow one another
    std::int64_t count = 0;   // rows in use; the registers of the others hold no meaning
    alignas(64) std::array<std::int64_t, kBlock> rows{};
    alignas(64) std::array<std::uint32_t, kBlock> flags{};
    alignas(64) std::array<std::int32_t, kBlock> bad_term{};
};

inline constexpr std::uint32_t kFlagNonFinite = 1;  // a guarded term was not finite
inline constexpr std::uint32_t kFlagClipped = 2;    // a guarded term was clipped
inline constexpr std::uint32_t kFlagMemory =
    4;  // a value that was not finite was kept out of the state
inline constexpr std::uint32_t kFlagKeys = 64;  // a key of a count was out of range

// A task's own operation: rows of the arguments, rows of the result, how many rows, constants.
using Custom = void (*)(const float* const*, float*, std::int64_t, const float*);

// A value may also be kept as the rows of a block, [64][pitch] floats.
inline constexpr std::int64_t kMaxRowLanes = 64;
constexpr std::int32_t row_pitch(std::int64_t lanes) {
    return static_cast<std::int32_t>((lanes + 7) / 8 * 8);
}

// What happens to the components of a row before they are added up. Most take an operand: a row for
// every row, or one that serves all.
enum class RowOp : std::uint8_t {
    abs,
    neg,
    square,
    violation,  // max(low - x, 0) + max(x - high, 0)
    sub64,      // the difference of two bound arrays; of doubles it is taken in double
    add,
    sub,
    from,  // operand - x
    mul,
    div,
    min,
    max,
    lt,
    le,
    gt,
    ge,
};
struct RowStep {
    RowOp op = RowOp::abs;
    std::int32_t arg = -1;  // place of the operand in the list; -1: the second bound array
};

struct Instruction;
using Kernel = void (*)(const Instruction&, Block&);

struct Instruction {
    Kernel step = nullptr;
    Kernel reset = nullptr;   // differs from step only for operations with memory
    std::int32_t target = 0;  // register lane
    std::int32_t lanes = 0;
    std::array<std::int32_t, 3> args{};  // register lanes
    std::array<std::int32_t, 3>
        strides{};                       // floats from lane to lane: 64, or 0 for a broadcast lane
    std::array<const Load*, 2> loads{};  // raw columns, where the operation reads them
    std::vector<std::int32_t> list;      // gather, kernel, weighted sum: register lanes; param:
                                         // indices; machine: from, to, least steps of every edge
    std::vector<std::int32_t> extras;    // weighted sum, guard: where the terms go, or -1
    std::vector<std::int32_t> ids;       // guard: of the terms
    bool gathers = false;                // the list holds register lanes
    std::vector<RowStep> steps;          // row sum
    std::vector<float> values;           // const, lookup, limits of guards; kernel: constants
    // reduce: group size; prev: depth; watch: term id; mark, flagged: bits
    std::int32_t k = 0;
    std::int64_t slot = 0;    // first row of the state
    double number = 0;        // ema: share; hold: steps; cycle: phase
    Custom custom = nullptr;  // kernel
};

}  // namespace embody
