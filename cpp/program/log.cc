#include "program/log.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/float_mode.h"
#include "base/simd.h"
#include "program/kernels.h"

namespace embody {
namespace {

std::int64_t blocks_of(std::int64_t rows) { return (rows + kBlock - 1) / kBlock; }

// One thread's share: blocks one after the other, each from its first step to its last.
class LogRunner {
  public:
    LogRunner(const Program& program, State* state, const Log& log)
        : program_(program),
          state_(state),
          log_(log),
          inputs_(log.inputs.size()),
          outputs_(log.outputs.size()),
          runner_(program, inputs_.data(), log.params),
          reach_(first_step(log), log.steps == 1 ? log.rows : 0,
                 program.instructions(Phase::block).size()) {
        const std::int64_t doubles = program.state_slots() * kBlock;
        memory_.resize(static_cast<std::size_t>(state == nullptr ? doubles * log.sets : 0));
        runner_.run(Phase::uniform);
        keep_uniform();
        std::int64_t bytes = 0;
        for (const LogOutput& output : log.outputs) {
            bytes += output.set * log.sets;
        }
        streams_ = bytes > kStreamBytes;
    }

    void run(std::int64_t begin, std::int64_t end) {
        begin_ = begin;
        end_ = end;
        std::fill(memory_.begin(), memory_.end(), 0.0);
        for (step_ = 0; step_ < log_.steps; ++step_) {
            run_step();
        }
    }

  private:
    static std::vector<InputView> first_step(const Log& log) {
        std::vector<InputView> views;
        for (const auto& input : log.inputs) {
            views.push_back(input.rows);
        }
        return views;
    }

    // What depends on parameters only is worked out once for every set.
    void keep_uniform() {
        for (std::int64_t set = 0; program_.sets() && set < log_.sets; ++set) {
            runner_.set_params(params_of(set));
            runner_.run(Phase::uniform_of_set);
            for (const std::int32_t lane : program_.set_lanes()) {
                uniform_.push_back(runner_.block().registers[std::int64_t{lane} * kBlock]);
            }
            for (const std::int32_t lane : program_.set_firsts()) {
                firsts_.push_back(runner_.block().registers[std::int64_t{lane} * kBlock]);
            }
            for (const std::int32_t lane : program_.set_rows()) {
                const float* from = runner_.block().registers + std::int64_t{lane} * kBlock;
                uniform_rows_.insert(uniform_rows_.end(), from, from + kBlock);
            }
        }
    }

    const float* params_of(std::int64_t set) const {
        return log_.params + set * static_cast<std::int64_t>(program_.params().size());
    }

    void use_set(std::int64_t set) {
        use_memory(set);
        const std::vector<std::int32_t>& lanes = program_.set_lanes();
        float* registers = runner_.block().registers;
        kernels().fill(registers, lanes.data(),
                       uniform_.data() + static_cast<std::size_t>(set) * lanes.size(),
                       static_cast<std::int64_t>(lanes.size()));
        const std::vector<std::int32_t>& firsts = program_.set_firsts();
        const float* first = firsts_.data() + static_cast<std::size_t>(set) * firsts.size();
        for (std::size_t i = 0; i < firsts.size(); ++i) {
            registers[std::int64_t{firsts[i]} * kBlock] = first[i];
        }
        const std::vector<std::int32_t>& rows = program_.set_rows();
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::size_t at = static_cast<std::size_t>(set) * rows.size() + i;
            std::copy_n(uniform_rows_.data() + at * kBlock, kBlock,
                        registers + std::int64_t{rows[i]} * kBlock);
        }
    }

    void use_memory(std::int64_t set) {
        if (state_ != nullptr) {
            runner_.set_state(state_->data(), state_->n(), 0);
        } else {
            runner_.set_state(memory_.data() + set * program_.state_slots() * kBlock, kBlock,
                              begin_);
        }
    }

    void run_step() {
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            inputs_[i] = log_.inputs[i].rows;
            inputs_[i].data += step_ * log_.inputs[i].step;
        }
        starting_.clear();
        for (std::int64_t row = begin_; row < end_; ++row) {
            if (log_.resets[step_ * log_.rows + row] != 0) {
                starting_.push_back(row);
            }
        }
        if (static_cast<std::int64_t>(starting_.size()) < end_ - begin_) {
            evaluate(false);
        }
        if (!starting_.empty()) {
            evaluate(true);
        }
    }

    // A step of all rows of the block, or a reset of those that start an episode.
    void evaluate(bool reset) {
        reset ? runner_.start(starting_) : runner_.start(begin_, end_);
        use_memory(0);
        run_phase(Phase::block, reset);
        for (std::int64_t set = 0; set < log_.sets; ++set) {
            if (program_.sets()) {
                use_set(set);
                run_phase(Phase::block_of_set, reset);
            }
            write(set, reset);
        }
        write_flags(reset);
    }

    void run_phase(Phase phase, bool reset) {
        if (reset) {
            runner_.run_reset(phase);
        } else if (phase == Phase::block) {
            Prefetch next(reach_, end_, std::min(end_ + kBlock, log_.rows));
            runner_.run(phase, next);
        } else {
            runner_.run(phase);
        }
    }

    void write(std::int64_t set, bool reset) {
        for (std::size_t g = 0; g < outputs_.size(); ++g) {
            outputs_[g] = log_.outputs[g].rows;
            outputs_[g].stream = streams_;
            outputs_[g].data += step_ * log_.outputs[g].step + set * log_.outputs[g].set;
        }
        if (reset) {
            clear();
        }
        runner_.store(outputs_.data(), reset);
    }

    // Of many sets a row has the flags of all.
    void write_flags(bool reset) const {
        const Block& block = runner_.block();
        for (std::size_t r = 0; r < static_cast<std::size_t>(block.count); ++r) {
            const std::int64_t at = step_ * log_.rows + block.rows[r];
            log_.flags[at] = reset ? block.flags[r] & kFlagMemory : block.flags[r];
            if (log_.bad_term != nullptr) {
                log_.bad_term[at] = reset ? -1 : block.bad_term[r];
            }
        }
    }

    // At the start of an episode nothing is paid.
    void clear() const {
        for (std::size_t g = 0; g < outputs_.size(); ++g) {
            const OutputView& view = outputs_[g];
            const std::ptrdiff_t bytes = view.width * size_of(program_.groups()[g].dtype);
            for (const std::int64_t row : starting_) {
                std::memset(view.data + row * view.row_stride, 0, static_cast<std::size_t>(bytes));
            }
        }
    }

    const Program& program_;
    State* state_;
    const Log& log_;
    std::vector<InputView> inputs_;
    std::vector<OutputView> outputs_;
    BlockRunner runner_;
    Reach reach_;  // of a batch; of a log of several steps the next rows are not the next block's
    std::vector<double> memory_;  // [P, slots, 64], where no state is given
    std::vector<float> uniform_;  // [P, lanes]
    std::vector<float> firsts_;
    std::vector<float> uniform_rows_;
    std::vector<std::int64_t> starting_;
    std::int64_t begin_ = 0;
    std::int64_t end_ = 0;
    std::int64_t step_ = 0;
    bool streams_ = false;
};

}  // namespace

void evaluate_log(const Program& program, State* state, const Log& log, int threads) {
    const std::int64_t blocks = blocks_of(log.rows);
    const double cost = program.block_nanoseconds() * static_cast<double>(blocks * log.steps);
    const int useful = useful_threads(threads, cost * static_cast<double>(log.sets));
    parallel_for(blocks, useful, [&](std::int64_t begin, std::int64_t end, int) {
        const FloatMode mode;
        LogRunner runner(program, state, log);
        for (std::int64_t block = begin; block < end; ++block) {
            runner.run(block * kBlock, std::min(log.rows, (block + 1) * kBlock));
        }
        order_streamed();
    });
}

}  // namespace embody
