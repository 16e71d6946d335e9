#include "program/block_runner.h"

#include <algorithm>
#include <cstring>

#include "program/kernels.h"

namespace embody {

BlockRunner::BlockRunner(const Program& program, const InputView* inputs, const float* params)
    : program_(program),
      storage_(static_cast<std::size_t>((program.register_lanes() + 1) * kBlock)),
      used_(program.params().size()) {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    const std::uintptr_t aligned = (address + 63U) & ~std::uintptr_t{63U};
    block_.registers = storage_.data() + (aligned - address) / sizeof(float);
    block_.params = params;
    block_.inputs = inputs;
    block_.dt = program.dt();
}

void BlockRunner::set_state(double* state, std::int64_t stride, std::int64_t first) {
    block_.state = state;
    block_.state_stride = stride;
    block_.state_first = first;
}

void BlockRunner::start(std::int64_t begin, std::int64_t end) {
    block_.count = end - begin;
    block_.neighbours = block_.count == kBlock;
    for (std::size_t r = 0; r < kBlock; ++r) {
        block_.rows[r] = begin + static_cast<std::int64_t>(r);
    }
    std::fill(block_.rows.begin() + block_.count, block_.rows.end(), end - 1);
    block_.flags.fill(0);
    block_.bad_term.fill(-1);
}

void BlockRunner::start(std::span<const std::int64_t> rows) {
    block_.count = static_cast<std::int64_t>(rows.size());
    block_.neighbours = false;
    std::copy(rows.begin(), rows.end(), block_.rows.begin());
    std::fill(block_.rows.begin() + block_.count, block_.rows.end(), rows.back());
    block_.flags.fill(0);
}

void BlockRunner::run(Phase phase) {
    for (const Instruction& instruction : program_.instructions(phase)) {
        instruction.step(instruction, block_);
    }
}

void BlockRunner::run(Phase phase, Prefetch& next) {
    for (const Instruction& instruction : program_.instructions(phase)) {
        next.advance();
        instruction.step(instruction, block_);
    }
}

void BlockRunner::run_uniform() {
    const std::size_t bytes = used_.size() * sizeof(float);
    if (fresh_ || (!used_.empty() && std::memcmp(used_.data(), block_.params, bytes) != 0)) {
        std::copy_n(block_.params, used_.size(), used_.begin());
        run(Phase::uniform);
        fresh_ = false;
    }
}

void BlockRunner::run_reset(Phase phase) {
    const std::vector<Instruction>& body = program_.instructions(phase);
    for (const std::int32_t index : program_.in_reset(phase)) {
        const Instruction& instruction = body[static_cast<std::size_t>(index)];
        instruction.reset(instruction, block_);
    }
}

void BlockRunner::store(const OutputView* outputs, bool reset) const {
    const std::vector<GroupTable>& tables = program_.tables();
    for (std::size_t g = 0; g < tables.size(); ++g) {
        if (!reset || tables[g].on_reset) {
            const StoreKernel put =
                tables[g].dtype == DType::u1 ? kernels().store_u1 : kernels().store_f4;
            put(tables[g], outputs[g], block_);
        }
    }
}

}  // namespace embody
