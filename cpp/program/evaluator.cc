#include "program/evaluator.h"

#include <algorithm>
#include <stdexcept>

#include "base/check.h"
#include "base/float_mode.h"
#include "base/simd.h"
#include "base/thread_pool.h"

namespace embody {
namespace {

std::int64_t blocks_of(std::int64_t rows) { return (rows + kBlock - 1) / kBlock; }

}  // namespace

State::State(const Program& program, std::int64_t n) : slots_(program.state_slots()), n_(n) {
    if (n < 1 || n > std::int64_t{1} << 30) {
        fail("n: expected 1 to 2^30 environments, got ", n);
    }
    values_.resize(static_cast<std::size_t>(slots_ * n_));
}

Evaluator::Evaluator(const Program& program, State& state, Bindings bindings, int threads)
    : program_(program),
      state_(state),
      bindings_(std::move(bindings)),
      threads_(useful_threads(
          threads, program.block_nanoseconds() * static_cast<double>(blocks_of(state.n())))),
      process_(process_id()),
      reach_(bindings_.inputs, state.n(), program.instructions(Phase::block).size()) {
    if (state.slots() != program.state_slots()) {
        fail("state: expected the state of this program with ", program.state_slots(),
             " slots, got ", state.slots());
    }
    if (program.sets()) {
        fail("program: expected one that is built for steps, got one for sets of parameters");
    }
    std::int64_t bytes = 0;
    for (std::size_t g = 0; g < bindings_.outputs.size(); ++g) {
        bytes += bindings_.outputs[g].width * size_of(program.groups()[g].dtype) * state.n();
    }
    for (OutputView& view : bindings_.outputs) {
        view.stream = bytes > kStreamBytes;
    }
    for (int i = 0; i < threads_; ++i) {
        runners_.push_back(
            std::make_unique<BlockRunner>(program, bindings_.inputs.data(), bindings_.params));
        runners_.back()->set_state(state.data(), state.n(), 0);
    }
}

void Evaluator::check_process() const {
    if (process_id() != process_) {
        throw std::runtime_error(
            "evaluator: used after fork, expected the process that made it; start workers with "
            "'spawn'");
    }
}

void Evaluator::step() {
    check_process();
    const std::int64_t n = state_.n();
    parallel_for(blocks_of(n), threads_, [&](std::int64_t begin, std::int64_t end, int chunk) {
        const FloatMode mode;
        BlockRunner& runner = *runners_[static_cast<std::size_t>(chunk)];
        runner.run_uniform();
        for (std::int64_t block = begin; block < end; ++block) {
            step_block(runner, block * kBlock, std::min(n, (block + 1) * kBlock));
        }
        order_streamed();
    });
}

void Evaluator::step_block(BlockRunner& runner, std::int64_t begin, std::int64_t end) const {
    runner.start(begin, end);
    Prefetch next(reach_, end, std::min(end + kBlock, state_.n()));
    runner.run(Phase::block, next);
    runner.store(bindings_.outputs.data(), false);
    const Block& block = runner.block();
    std::copy_n(block.flags.begin(), block.count, bindings_.flags + begin);
    std::copy_n(block.bad_term.begin(), block.count, bindings_.bad_term + begin);
}

void Evaluator::reset(const std::uint8_t* mask) {
    check_process();
    masked_.clear();
    for (std::int64_t row = 0; row < state_.n(); ++row) {
        if (mask[row] != 0) {
            masked_.push_back(row);
        }
    }
    const auto count = static_cast<std::int64_t>(masked_.size());
    const double cost = program_.block_nanoseconds() * static_cast<double>(blocks_of(count));
    const std::span<const std::int64_t> rows(masked_);
    parallel_for(blocks_of(count), useful_threads(threads_, cost),
                 [&](std::int64_t begin, std::int64_t end, int chunk) {
                     const FloatMode mode;
                     BlockRunner& runner = *runners_[static_cast<std::size_t>(chunk)];
                     runner.run_uniform();
                     for (std::int64_t block = begin; block < end; ++block) {
                         const auto first = static_cast<std::size_t>(block * kBlock);
                         reset_block(runner, rows.subspan(first, std::min<std::size_t>(
                                                                     kBlock, rows.size() - first)));
                     }
                 });
}

void Evaluator::reset_block(BlockRunner& runner, std::span<const std::int64_t> rows) const {
    runner.start(rows);
    runner.run_reset(Phase::block);
    runner.store(bindings_.outputs.data(), true);
    // Guards belong to steps; only a seed that could not be stored is news.
    for (std::size_t r = 0; r < rows.size(); ++r) {
        bindings_.flags[rows[r]] |= runner.block().flags[r] & kFlagMemory;
    }
}

}  // namespace embody
