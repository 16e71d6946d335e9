// A task's program on a block of imagined rows.
#pragma once

#include <cstdint>
#include <vector>

#include "program/block_runner.h"
#include "world/rollout.h"

namespace embody {

// Rows of what a block knows, by source, and their widths.
struct SourceRows {
    const float* data = nullptr;
    std::int64_t width = 0;
};

class ImaginedProgram {
  public:
    // Program, parameters and sources (by the value of Source) are kept by the caller.
    ImaginedProgram(const RolloutProgram& program, const float* params,
                    const std::vector<SourceRows>& sources, std::int64_t rows);

    // Begins the episodes of rows 0 to count - 1, or takes a step of them.
    void reset(std::int64_t count);
    void step(std::int64_t count);

    // One row takes the place, and the memory, of another.
    void move(std::int64_t from, std::int64_t to);

    const float* observations() const { return group(program_.observations); }
    const float* critic() const { return group(program_.critic); }
    const float* channels() const { return group(program_.channels); }
    const std::uint8_t* terminated() const;

  private:
    const float* group(std::int64_t place) const;
    void evaluate(std::int64_t count, bool reset);

    const RolloutProgram& program_;
    std::int64_t rows_;
    std::vector<InputView> inputs_;
    std::vector<std::vector<float>> memory_;  // of the groups; bytes lie in it as they are
    std::vector<OutputView> outputs_;
    std::vector<double> state_;  // [slots, R]
    std::vector<std::int64_t> starting_;
    BlockRunner runner_;
};

}  // namespace embody
