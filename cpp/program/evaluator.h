// Runs a program over the rows of bound arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "program/block_runner.h"

namespace embody {

// What the operations with memory know about each environment: [slots, N] doubles.
class State {
  public:
    State(const Program& program, std::int64_t n);

    double* data() { return values_.data(); }
    std::int64_t slots() const { return slots_; }
    std::int64_t n() const { return n_; }

  private:
    std::int64_t slots_;
    std::int64_t n_;
    std::vector<double> values_;
};

struct Bindings {
    std::vector<InputView> inputs;
    std::vector<OutputView> outputs;
    const float* params = nullptr;     // [P], read at every call
    std::uint32_t* flags = nullptr;    // [N]
    std::int32_t* bad_term = nullptr;  // [N]
};

// The caller keeps the program, the state and the bound arrays alive. One call at a time.
class Evaluator {
  public:
    Evaluator(const Program& program, State& state, Bindings bindings, int threads);

    // One control step of every row: all groups, flags and bad_term are written.
    void step();

    // Seeds the masked rows and writes their part of the groups that ask for it; mask [N], one byte
    // a row.
    void reset(const std::uint8_t* mask);

  private:
    void check_process() const;
    void step_block(BlockRunner& runner, std::int64_t begin, std::int64_t end) const;
    void reset_block(BlockRunner& runner, std::span<const std::int64_t> rows) const;

    const Program& program_;
    State& state_;
    Bindings bindings_;
    int threads_;
    std::int64_t process_;
    std::vector<std::unique_ptr<BlockRunner>> runners_;
    std::vector<std::int64_t> masked_;
    Reach reach_;
};

}  // namespace embody
