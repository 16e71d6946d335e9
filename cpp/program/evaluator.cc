#include "program/evaluator.h"

#include <algorithm>
#include <stdexcept>

#include "base/check.h"
#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "program/kernels.h"

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

Evaluator::Workspace::Workspace(std::int64_t lanes)
    : storage(static_cast<std::size_t>((lanes + 1) * kBlock)) {
    const auto address = reinterpret_cast<std::uintptr_t>(storage.data());
    const std::uintptr_t aligned = (address + 63U) & ~std::uintptr_t{63U};
    block.registers = storage.data() + (aligned - address) / sizeof(float);
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
    for (int i = 0; i < threads_; ++i) {
        spaces_.push_back(std::make_unique<Workspace>(program.register_lanes()));
        Block& block = spaces_.back()->block;
        block.params = bindings_.params;
        block.inputs = bindings_.inputs.data();
        block.state = state.data();
        block.state_stride = state.n();
        block.dt = program.dt();
    }
}

void Evaluator::check_process() const {
    if (process_id() != process_) {
        throw std::runtime_error(
            "evaluator: used after fork, expected the process that made it; start workers with "
            "'spawn'");
    }
}

void Evaluator::prepare(Workspace& space) const {
    for (const Instruction& instruction : program_.instructions(Phase::uniform)) {
        instruction.step(instruction, space.block);
    }
}

void Evaluator::step() {
    check_process();
    const std::int64_t n = state_.n();
    parallel_for(blocks_of(n), threads_, [&](std::int64_t begin, std::int64_t end, int chunk) {
        const FloatMode mode;
        Workspace& space = *spaces_[static_cast<std::size_t>(chunk)];
        prepare(space);
        for (std::int64_t block = begin; block < end; ++block) {
            step_block(space, block * kBlock, std::min(n, (block + 1) * kBlock));
        }
    });
}

void Evaluator::step_block(Workspace& space, std::int64_t begin, std::int64_t end) const {
    Block& block = space.block;
    block.count = end - begin;
    block.neighbours = block.count == kBlock;
    for (std::size_t r = 0; r < kBlock; ++r) {
        block.rows[r] = begin + static_cast<std::int64_t>(r);
    }
    std::fill(block.rows.begin() + block.count, block.rows.end(), end - 1);
    block.flags.fill(0);
    block.bad_term.fill(-1);
    Prefetch next(reach_, end, std::min(end + kBlock, state_.n()));
    for (const Instruction& instruction : program_.instructions(Phase::block)) {
        next.advance();
        instruction.step(instruction, block);
    }
    store(block, false);
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
                     Workspace& space = *spaces_[static_cast<std::size_t>(chunk)];
                     prepare(space);
                     for (std::int64_t block = begin; block < end; ++block) {
                         const auto first = static_cast<std::size_t>(block * kBlock);
                         reset_block(space, rows.subspan(first, std::min<std::size_t>(
                                                                    kBlock, rows.size() - first)));
                     }
                 });
}

void Evaluator::reset_block(Workspace& space, std::span<const std::int64_t> rows) const {
    Block& block = space.block;
    block.count = static_cast<std::int64_t>(rows.size());
    block.neighbours = false;
    std::copy(rows.begin(), rows.end(), block.rows.begin());
    std::fill(block.rows.begin() + block.count, block.rows.end(), rows.back());
    block.flags.fill(0);
    const std::vector<Instruction>& body = program_.instructions(Phase::block);
    for (const std::int32_t index : program_.in_reset(Phase::block)) {
        const Instruction& instruction = body[static_cast<std::size_t>(index)];
        instruction.reset(instruction, block);
    }
    store(block, true);
    // Guards belong to steps; only a seed that could not be stored is news.
    for (std::size_t r = 0; r < rows.size(); ++r) {
        bindings_.flags[rows[r]] |= block.flags[r] & kFlagMemory;
    }
}

void Evaluator::store(const Block& block, bool reset) const {
    const std::vector<GroupTable>& tables = program_.tables();
    for (std::size_t g = 0; g < tables.size(); ++g) {
        if (!reset || tables[g].on_reset) {
            const StoreKernel put =
                tables[g].dtype == DType::u1 ? kernels().store_u1 : kernels().store_f4;
            put(tables[g], bindings_.outputs[g], block);
        }
    }
}

}  // namespace embody
