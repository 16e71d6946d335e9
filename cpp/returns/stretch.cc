#include "returns/stretch.h"

#include <algorithm>

namespace embody {
namespace {

// The same step from a cell on; the ends begin there already.
GaeStep rest(GaeStep step, std::int64_t cell) {
    step.cells -= cell;
    const auto on = [&](auto*& array) { array = array == nullptr ? nullptr : array + cell; };
    on(step.rewards);
    on(step.values);
    on(step.next_values);
    on(step.gamma);
    on(step.trace);
    on(step.carry);
    on(step.advantages);
    on(step.returns);
    on(step.gate.most);
    on(step.gate.best);
    on(step.gate.lost);
    return step;
}

}  // namespace

Stretch::Stretch(const Rollout& rollout, const float* values, const float* lam, float* advantages,
                 float* returns, std::int64_t rows)
    : rollout_(rollout), values_(values), advantages_(advantages), returns_(returns) {
    const auto cells = static_cast<std::size_t>(rows * rollout.channels);
    const auto channels = static_cast<std::size_t>(rollout.channels);
    ended_.resize(cells);
    carry_.resize(cells);
    gamma_.resize(cells);
    trace_.resize(cells);
    for (std::size_t i = 0; i < cells; i += channels) {
        for (std::size_t c = 0; c < channels; ++c) {
            const float own = lam == nullptr ? 0.0F : lam[c];
            gamma_[i + c] = rollout.gamma[c];
            trace_[i + c] = advantages == nullptr ? own : rollout.gamma[c] * own;
        }
    }
}

void Stretch::begin() { std::fill(carry_.begin(), carry_.end(), 0.0F); }

void Stretch::run(std::int64_t first, std::int64_t rows, Kernel kernel) {
    begin();
    for (std::int64_t t = rollout_.steps - 1; t >= 0; --t) {
        const std::int64_t row = t * rollout_.environments + first;
        step(t, first, rows, rollout_.rewards + row * rollout_.channels, kernel);
    }
}

void Stretch::step(std::int64_t t, std::int64_t first, std::int64_t rows, const float* rewards,
                   Kernel kernel, const Withholding& gate) {
    const std::int64_t row = t * rollout_.environments + first;
    const std::int64_t cell = row * rollout_.channels;
    GaeStep step;
    step.cells = rows * rollout_.channels;
    step.rewards = rewards;
    step.next_values = rollout_.next_values + cell;
    step.values = values_ == nullptr ? nullptr : values_ + cell;
    step.ended = ended_.data();
    step.gamma = gamma_.data();
    step.trace = trace_.data();
    step.carry = carry_.data();
    step.advantages = advantages_ == nullptr ? nullptr : advantages_ + cell;
    step.returns = returns_ + cell;
    step.gate = gate;
    const std::int64_t done = step_rows(step, row);
    if (done < rows) {
        find_ends(row + done, rows - done, t == rollout_.steps - 1);
        kernel(rest(step, done * rollout_.channels));
    }
    if (rollout_.valid != nullptr) {
        empty_rows(row, rows);
    }
}

// The rows of generalised advantage estimation that fill whole vectors, which is how many.
std::int64_t Stretch::step_rows(const GaeStep& step, std::int64_t row) const {
    if (advantages_ == nullptr || rollout_.episodic != nullptr) {
        return 0;
    }
    const GaeRows rows{step, rollout_.terminated + row, rollout_.truncated + row};
    return return_kernels().gae_rows(rollout_.channels, rows) / rollout_.channels;
}

// Beyond the last step of the rollout nothing is known: it ends there like a truncated one.
void Stretch::find_ends(std::int64_t row, std::int64_t rows, bool last) {
    const std::uint32_t always = last ? kTruncated : 0U;
    return_kernels().spread(rollout_.channels, {rows, rollout_.terminated + row,
                                                rollout_.truncated + row, always, ended_.data()});
    for (std::int64_t i = 0; rollout_.episodic != nullptr && i < rows * rollout_.channels; ++i) {
        if (rollout_.episodic[i % rollout_.channels] == 0) {
            ended_[static_cast<std::size_t>(i)] = always;
        }
    }
}

// Rows that belong to no episode pay nothing and pass nothing on.
void Stretch::empty_rows(std::int64_t row, std::int64_t rows) {
    const std::int64_t channels = rollout_.channels;
    for (std::int64_t n = 0; n < rows; ++n) {
        if (rollout_.valid[row + n] != 0) {
            continue;
        }
        for (std::int64_t c = 0; c < channels; ++c) {
            const std::int64_t cell = (row + n) * channels + c;
            carry_[static_cast<std::size_t>(n * channels + c)] = 0;
            returns_[cell] = values_ == nullptr ? 0.0F : values_[cell];
            if (advantages_ != nullptr) {
                advantages_[cell] = 0;
            }
        }
    }
}

}  // namespace embody
