#include "world/imagined_program.h"

#include <algorithm>
#include <numeric>
#include <span>

namespace embody {
namespace {

std::vector<InputView> input_views(const RolloutProgram& program,
                                   const std::vector<SourceRows>& sources) {
    std::vector<InputView> views;
    for (std::size_t i = 0; i < program.inputs.size(); ++i) {
        const ProgramInput& input = program.inputs[i];
        const SourceRows& rows = sources[static_cast<std::size_t>(input.source)];
        InputView view;
        view.data = reinterpret_cast<const std::byte*>(rows.data + input.column);
        view.row_stride = rows.width * size_of(DType::f4);
        view.width = program.program->inputs()[i].width;
        views.push_back(view);
    }
    return views;
}

}  // namespace

ImaginedProgram::ImaginedProgram(const RolloutProgram& program, const float* params,
                                 const std::vector<SourceRows>& sources, std::int64_t rows)
    : program_(program),
      rows_(rows),
      inputs_(input_views(program, sources)),
      state_(static_cast<std::size_t>(program.program->state_slots() * rows)),
      starting_(static_cast<std::size_t>(rows)),
      runner_(*program.program, inputs_.data(), params) {
    for (const GroupSpec& spec : program.program->groups()) {
        memory_.emplace_back(static_cast<std::size_t>(rows * spec.width));
        OutputView view;
        view.data = reinterpret_cast<std::byte*>(memory_.back().data());
        view.row_stride = spec.width * size_of(spec.dtype);
        view.width = spec.width;
        outputs_.push_back(view);
    }
    std::iota(starting_.begin(), starting_.end(), 0);
    runner_.set_state(state_.data(), rows, 0);
    runner_.run_uniform();
}

void ImaginedProgram::reset(std::int64_t count) {
    std::fill(state_.begin(), state_.end(), 0.0);
    evaluate(count, true);
}

void ImaginedProgram::step(std::int64_t count) { evaluate(count, false); }

void ImaginedProgram::evaluate(std::int64_t count, bool reset) {
    for (std::int64_t first = 0; first < count; first += kBlock) {
        const std::int64_t end = std::min(first + kBlock, count);
        if (reset) {
            runner_.start(std::span<const std::int64_t>(starting_.data() + first,
                                                        static_cast<std::size_t>(end - first)));
            runner_.run_reset(Phase::block);
        } else {
            runner_.start(first, end);
            runner_.run(Phase::block);
        }
        runner_.store(outputs_.data(), reset);
    }
}

void ImaginedProgram::move(std::int64_t from, std::int64_t to) {
    for (std::int64_t slot = 0; slot < program_.program->state_slots(); ++slot) {
        state_[static_cast<std::size_t>(slot * rows_ + to)] =
            state_[static_cast<std::size_t>(slot * rows_ + from)];
    }
    for (const OutputView& view : outputs_) {
        std::copy_n(view.data + from * view.row_stride, view.row_stride,
                    view.data + to * view.row_stride);
    }
}

const float* ImaginedProgram::group(std::int64_t place) const {
    return place < 0 ? nullptr : memory_[static_cast<std::size_t>(place)].data();
}

const std::uint8_t* ImaginedProgram::terminated() const {
    return reinterpret_cast<const std::uint8_t*>(group(program_.terminated));
}

}  // namespace embody
