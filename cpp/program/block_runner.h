// One thread's registers, and the running of a program on one block of rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "program/prefetch.h"
#include "program/program.h"

namespace embody {

class BlockRunner {
  public:
    // `inputs` are read at every call and may be pointed elsewhere between two.
    BlockRunner(const Program& program, const InputView* inputs, const float* params);

    // Where the operations with memory keep what they know: [slots, stride] doubles, the first
    // column being that of row `first`.
    void set_state(double* state, std::int64_t stride, std::int64_t first);
    void set_params(const float* params) { block_.params = params; }

    // Chooses the rows to work on and forgets the flags of those before.
    void start(std::int64_t begin, std::int64_t end);
    void start(std::span<const std::int64_t> rows);

    // Runs the instructions of a phase; of a reset, those that it needs.
    void run(Phase phase);
    void run(Phase phase, Prefetch& next);

    // What depends on parameters only, unless they are those of the last time.
    void run_uniform();
    void run_reset(Phase phase);

    // Writes the groups, or those that a reset writes too.
    void store(const OutputView* outputs, bool reset) const;

    const Block& block() const { return block_; }
    Block& block() { return block_; }

  private:
    const Program& program_;
    std::vector<float> storage_;  // registers, aligned to whole vectors
    std::vector<float> used_;     // parameters of the last time
    bool fresh_ = true;
    Block block_;
};

}  // namespace embody
