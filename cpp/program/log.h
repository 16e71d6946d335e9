// A whole log, or rollout, in one call: [T, N] rows, with memory carried from step to step; for one
// set of parameters or for many.
#pragma once

#include <cstdint>
#include <vector>

#include "program/evaluator.h"

namespace embody {

// Bytes from one step, and from one set of parameters, to the next.
struct LogInput {
    InputView rows;
    std::ptrdiff_t step = 0;
};
struct LogOutput {
    OutputView rows;
    std::ptrdiff_t step = 0;
    std::ptrdiff_t set = 0;
};

struct Log {
    std::int64_t steps = 0;
    std::int64_t rows = 0;
    std::int64_t sets = 1;
    std::vector<LogInput> inputs;
    std::vector<LogOutput> outputs;
    const float* params = nullptr;         // [P, parameters]
    const std::uint8_t* resets = nullptr;  // [T, N]
    std::uint32_t* flags = nullptr;        // [T, N], those of all sets
    std::int32_t* bad_term = nullptr;      // [T, N]; none for many sets
};

// Where `resets` says so, a row starts an episode with that step's signals: its memory is seeded,
// the groups that a reset writes are written, all others are 0. Every other row is stepped. The
// state is carried on; without one the memory is the call's own.
void evaluate_log(const Program& program, State* state, const Log& log, int threads);

}  // namespace embody
