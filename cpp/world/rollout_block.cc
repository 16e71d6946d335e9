#include "world/rollout_block.h"

#include <algorithm>
#include <bit>

namespace embody {
namespace {

template <class T>
std::vector<T> made(std::int64_t count) {
    return std::vector<T>(static_cast<std::size_t>(count));
}

// Row `row` of rows `width` wide, at a step of [L, B, width].
template <class T>
T* place(T* array, const RolloutArrays& arrays, std::int64_t step, std::int64_t row,
         std::int64_t width) {
    return array + (step * arrays.rows + row) * width;
}

template <class T>
void put(T* array, const RolloutArrays& arrays, std::int64_t step, std::int64_t row, const T* from,
         std::int64_t width) {
    if (array != nullptr) {
        std::copy_n(from, width, place(array, arrays, step, row, width));
    }
}

template <class T>
void clear(T* array, const RolloutArrays& arrays, std::int64_t step, std::int64_t row,
           std::int64_t width, T value) {
    if (array != nullptr) {
        std::fill_n(place(array, arrays, step, row, width), width, value);
    }
}

// An exponent of no finite number, and it alone, carries into the first bit.
bool finite(const float* x, std::int64_t count) {
    std::uint32_t bits = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        bits |= (std::bit_cast<std::uint32_t>(x[i]) & 0x7F800000U) + 0x00800000U;
    }
    return bits >> 31 == 0;
}

}  // namespace

RolloutBlock::RolloutBlock(const Imagination& rollout, std::int64_t rows)
    : rollout_(rollout),
      arrays_(rollout.arrays),
      state_(rollout.ensemble->state()),
      action_(rollout.ensemble->action()),
      observation_(rollout.observation_width()),
      critic_(rollout.critic_width()),
      origin_(made<std::int64_t>(rows)),
      ids_(made<std::uint32_t>(rows)),
      states_(made<float>(rows * state_)),
      next_(made<float>(rows * state_)),
      actions_(made<float>(rows * action_)),
      carried_(made<float>(rows * arrays_.carried)),
      penalty_(made<float>(rows)),
      member_(made<std::int8_t>(rows)),
      credible_(made<float>(rows)),
      rejected_(made<std::uint8_t>(rows)),
      ended_(made<std::uint8_t>(rows)),
      ones_(static_cast<std::size_t>(rows), std::uint8_t{1}),
      members_(*rollout.ensemble, rollout.settings, rows) {
    if (rollout.actor != nullptr) {
        acting_.emplace(*rollout.actor, rollout.settings);
    }
    if (rollout.program.program != nullptr) {
        const std::vector<SourceRows> sources = {{states_.data(), state_},
                                                 {actions_.data(), action_},
                                                 {carried_.data(), arrays_.carried}};
        program_.emplace(rollout.program, arrays_.params, sources, rows);
    }
}

std::int64_t RolloutBlock::run(std::int64_t begin, std::int64_t end) {
    start(begin, end);
    std::int64_t diverged = 0;
    for (std::int64_t t = 0; t < rollout_.settings.steps && count_ > 0; ++t) {
        diverged += step(t);
    }
    for (std::int64_t row = 0; row < count_; ++row) {
        put_final(row);
    }
    return diverged;
}

void RolloutBlock::start(std::int64_t begin, std::int64_t end) {
    count_ = end - begin;
    in_order_ = true;
    for (std::int64_t row = 0; row < count_; ++row) {
        origin_[static_cast<std::size_t>(row)] = begin + row;
        clear(arrays_.rejected, arrays_, 0, begin + row, 1, std::uint8_t{0});
    }
    std::fill(rejected_.begin(), rejected_.end(), std::uint8_t{0});
    std::copy_n(arrays_.ids + begin, count_, ids_.begin());
    std::copy_n(arrays_.states + begin * state_, count_ * state_, states_.begin());
    std::copy_n(arrays_.before + begin * action_, count_ * action_, actions_.begin());
    carry(0);
    if (program_) {
        program_->reset(count_);
    }
}

std::int64_t RolloutBlock::step(std::int64_t step) {
    act(step);
    members_.step({count_, ids_.data(), states_.data(), actions_.data(), next_.data(),
                   member_.data(), penalty_.data(), credible_.data()},
                  static_cast<std::uint32_t>(step));
    const std::int64_t diverged = drop_diverged(step);
    reject(step);
    store_before(step);
    std::copy_n(next_.begin(), count_ * state_, states_.begin());
    if (arrays_.carried_steps > 1) {
        carry(step + 1);
    }
    if (program_) {
        program_->step(count_);
    }
    store_after(step);
    retire_ended(step);
    return diverged;
}

void RolloutBlock::act(std::int64_t step) {
    if (acting_) {
        acting_->act(count_, ids_.data(), static_cast<std::uint32_t>(step), observation(0),
                     actions_.data());
        return;
    }
    for (std::int64_t row = 0; row < count_; ++row) {
        const std::int64_t from =
            origin_[static_cast<std::size_t>(row)] * rollout_.settings.steps + step;
        std::copy_n(arrays_.given_actions + from * action_, action_,
                    actions_.begin() + row * action_);
    }
}

void RolloutBlock::carry(std::int64_t step) {
    for (std::int64_t row = 0; row < count_; ++row) {
        const std::int64_t from = origin_[static_cast<std::size_t>(row)];
        std::copy_n(place(arrays_.carried_rows, arrays_, step, from, arrays_.carried),
                    arrays_.carried, carried_.begin() + row * arrays_.carried);
    }
}

std::int64_t RolloutBlock::drop_diverged(std::int64_t step) {
    std::int64_t diverged = 0;
    if (finite(next_.data(), count_ * state_)) {
        return diverged;
    }
    for (std::int64_t row = count_ - 1; row >= 0; --row) {
        if (!finite(next_.data() + row * state_, state_)) {
            end(row, step);
            ++diverged;
        }
    }
    return diverged;
}

void RolloutBlock::reject(std::int64_t step) {
    const Filter& filter = rollout_.settings.filter;
    if (filter.judges == nullptr || step < filter.after) {
        return;
    }
    for (std::int64_t row = count_ - 1; row >= 0; --row) {
        const auto at = static_cast<std::size_t>(row);
        rejected_[at] = credible_[at] < filter.threshold ? 1 : 0;
        if (rejected_[at] == 0) {
            continue;
        }
        put(arrays_.rejected, arrays_, 0, origin_[at], &rejected_[at], 1);
        if (filter.on_reject == OnReject::truncate) {
            end(row, step);
        }
    }
}

template <class T>
void RolloutBlock::store(T* array, std::int64_t step, const T* from, std::int64_t width) const {
    if (array == nullptr || count_ == 0) {
        return;
    }
    if (in_order_) {
        std::copy_n(from, count_ * width, place(array, arrays_, step, origin_.front(), width));
        return;
    }
    for (std::int64_t row = 0; row < count_; ++row) {
        put(array, arrays_, step, origin_[static_cast<std::size_t>(row)], from + row * width,
            width);
    }
}

void RolloutBlock::store_before(std::int64_t step) const {
    store(arrays_.observations, step, observation(0), observation_);
    store(arrays_.critic_observations, step, critic(0), critic_);
    store(arrays_.actions, step, actions_.data(), action_);
}

void RolloutBlock::store_after(std::int64_t step) {
    for (std::int64_t row = 0; row < count_; ++row) {
        ended_[static_cast<std::size_t>(row)] = terminated(row) ? 1 : 0;
    }
    store(arrays_.next_states, step, states_.data(), state_);
    store(arrays_.valid, step, ones_.data(), 1);
    store(arrays_.penalty, step, penalty_.data(), 1);
    store(arrays_.member, step, member_.data(), 1);
    store(arrays_.credible, step, credible_.data(), 1);
    store(arrays_.terminated, step, ended_.data(), 1);
    const std::int64_t channels = rollout_.channel_width();
    if (channels > 0) {
        store(arrays_.channels, step, program_->channels(), channels);
    }
}

void RolloutBlock::retire_ended(std::int64_t step) {
    for (std::int64_t row = count_ - 1; row >= 0; --row) {
        if (terminated(row)) {
            end(row, step + 1);
        }
    }
}

bool RolloutBlock::terminated(std::int64_t row) const {
    const bool ended =
        program_ && program_->terminated() != nullptr && program_->terminated()[row] != 0;
    return ended || rejected_[static_cast<std::size_t>(row)] != 0;
}

void RolloutBlock::end(std::int64_t row, std::int64_t step) {
    const auto at = static_cast<std::size_t>(row);
    const std::int64_t from = origin_[at];
    put_final(row);
    for (std::int64_t t = step; t < rollout_.settings.steps; ++t) {
        clear(arrays_.observations, arrays_, t, from, observation_, 0.0F);
        clear(arrays_.critic_observations, arrays_, t, from, critic_, 0.0F);
        clear(arrays_.actions, arrays_, t, from, action_, 0.0F);
        clear(arrays_.next_states, arrays_, t, from, state_, 0.0F);
        clear(arrays_.channels, arrays_, t, from, rollout_.channel_width(), 0.0F);
        clear(arrays_.terminated, arrays_, t, from, 1, std::uint8_t{0});
        clear(arrays_.valid, arrays_, t, from, 1, std::uint8_t{0});
        clear(arrays_.penalty, arrays_, t, from, 1, 0.0F);
        clear(arrays_.member, arrays_, t, from, 1, std::int8_t{-1});
        clear(arrays_.credible, arrays_, t, from, 1, 0.0F);
    }
    const std::int64_t last = --count_;
    if (last == row) {
        return;
    }
    const auto other = static_cast<std::size_t>(last);
    in_order_ = false;
    origin_[at] = origin_[other];
    ids_[at] = ids_[other];
    member_[at] = member_[other];
    penalty_[at] = penalty_[other];
    credible_[at] = credible_[other];
    rejected_[at] = rejected_[other];
    std::copy_n(states_.begin() + last * state_, state_, states_.begin() + row * state_);
    std::copy_n(next_.begin() + last * state_, state_, next_.begin() + row * state_);
    std::copy_n(actions_.begin() + last * action_, action_, actions_.begin() + row * action_);
    std::copy_n(carried_.begin() + last * arrays_.carried, arrays_.carried,
                carried_.begin() + row * arrays_.carried);
    if (program_) {
        program_->move(last, row);
    }
}

const float* RolloutBlock::observation(std::int64_t row) const {
    const float* seen = program_ ? program_->observations() : states_.data();
    return observation_ == 0 ? nullptr : seen + row * observation_;
}

const float* RolloutBlock::critic(std::int64_t row) const {
    return critic_ == 0 ? nullptr : program_->critic() + row * critic_;
}

void RolloutBlock::put_final(std::int64_t row) const {
    const std::int64_t to = origin_[static_cast<std::size_t>(row)];
    put(arrays_.final_observations, arrays_, 0, to, observation(row), observation_);
    put(arrays_.final_critic_observations, arrays_, 0, to, critic(row), critic_);
}

}  // namespace embody
