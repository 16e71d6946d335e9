#include "returns/gate_block.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace embody {
namespace {

bool any(const std::vector<std::uint8_t>& flags) {
    return std::any_of(flags.begin(), flags.end(), [](std::uint8_t x) { return x != 0; });
}

bool any_of(const std::vector<std::uint8_t>& aggregates, Aggregate wanted) {
    return std::any_of(aggregates.begin(), aggregates.end(),
                       [&](std::uint8_t x) { return static_cast<Aggregate>(x) == wanted; });
}

bool any_cap(const GateRules& rules) {
    return std::any_of(rules.cap.begin(), rules.cap.end(),
                       [](float x) { return std::isfinite(x); });
}

std::uint32_t measured(std::uint8_t aggregate) {
    switch (static_cast<Aggregate>(aggregate)) {
        case Aggregate::last:
            return kGateLast;
        case Aggregate::sum:
            return kGateSum;
        case Aggregate::max:
            return kGateMax;
        case Aggregate::none:
            break;
    }
    return 0;
}

}  // namespace

bool GateBlock::needs_rows(const GateRules& rules, const GateInput& input) {
    const bool held = rules.place == GatePlace::terminal;
    return held || rules.scope == GateScope::running || any_cap(rules) || input.valid != nullptr;
}

bool GateBlock::only_withholds(const GateRules& rules, const GateInput& input) {
    return !needs_rows(rules, input) && !any_of(rules.aggregate, Aggregate::sum) &&
           !any(rules.mask) && !any(rules.mean) && input.conditions == nullptr &&
           rules.pending != GatePending::open;
}

GateBlock::GateBlock(const GateRules& rules, const GateState& state, const GateInput& input,
                     std::int64_t most, bool written)
    : rules_(rules),
      input_(input),
      all_(state),
      channels_(static_cast<std::int64_t>(rules.level.size())),
      running_(rules.scope == GateScope::running),
      shared_(any(rules.mean) && !running_) {
    const bool held = rules.place == GatePlace::terminal && !running_;
    take_ = return_kernels().take(any_cap(rules), held, written);
    set_channels(most);
    since_.resize(static_cast<std::size_t>(most));
    if (rules.pending == GatePending::hold && !held && !running_) {
        lost_.resize(flags_.size());
    }
    if (!written && only_withholds(rules, input)) {
        best_.resize(any_of(rules.aggregate, Aggregate::max) ? flags_.size() : 0);
        most_.resize(flags_.size());
        lost_.resize(flags_.size());
    }
}

void GateBlock::set_channels(std::int64_t most) {
    const std::vector<std::uint8_t> gated = rules_.gated();
    std::vector<std::uint32_t> flags;
    for (std::size_t c = 0; c < gated.size(); ++c) {
        std::uint32_t flag = measured(rules_.aggregate[c]);
        flag |= rules_.mask[c] != 0 ? kGateMask : 0;
        flag |= std::isfinite(rules_.cap[c]) ? kGateCap : 0;
        flag |= gated[c] != 0 ? kGateGated : 0;
        flag |= rules_.mean[c] != 0 ? kGateMean : 0;
        flags.push_back(flag);
        if (measured(rules_.aggregate[c]) != 0) {
            gating_.push_back({c, rules_.level[c]});
        }
        if (gated[c] != 0) {
            gated_channels_.push_back({c, rules_.level[c]});
        }
    }
    for (std::int64_t n = 0; n < most; ++n) {
        flags_.insert(flags_.end(), flags.begin(), flags.end());
        cap_.insert(cap_.end(), rules_.cap.begin(), rules_.cap.end());
    }
    now_.assign(gated.size(), 1);
    lump_.resize(gated.size());
    pays_.resize(flags_.size());
    length_.resize(shared_ ? flags_.size() : 0);
    early_.resize(rules_.pending == GatePending::open ? flags_.size() : 0);
}

void GateBlock::begin(std::int64_t first, std::int64_t rows, BlockRows<float> gated,
                      BlockRows<std::uint8_t> gate) {
    first_ = first;
    rows_ = rows;
    gated_ = gated;
    gate_ = gate;
    const std::int64_t cell = first * channels_;
    state_ = {all_.measure + cell, all_.positive + cell, all_.held + cell, all_.latch + cell,
              all_.length + first};
    std::fill(since_.begin(), since_.end(), 0);
}

// Writes the measures of an episode that ends at step t into the state. Nothing else is read on the
// way up where gates only withhold.
void GateBlock::measure_episode(std::int64_t t, std::int64_t n) {
    const std::int64_t stride = input_.environments * channels_;
    const float* rewards = input_.rewards + (first_ + n) * channels_;
    for (const Level& gate : gating_) {
        const auto c = static_cast<std::int64_t>(gate.channel);
        double& measure = state_.measure[n * channels_ + c];
        if (static_cast<Aggregate>(rules_.aggregate[gate.channel]) == Aggregate::last) {
            measure = static_cast<double>(rewards[t * stride + c]);
            continue;
        }
        for (std::int64_t s = since_[static_cast<std::size_t>(n)]; s <= t; ++s) {
            const auto reward = static_cast<double>(rewards[s * stride + c]);
            measure = reward > measure ? reward : measure;
        }
    }
}

bool GateBlock::valid(std::int64_t t, std::int64_t n) const {
    return input_.valid == nullptr || input_.valid[t * input_.environments + first_ + n] != 0;
}

void GateBlock::forward(GateEpisodes& episodes) {
    begun_ = episodes.step.size();
    for (std::int64_t n = 0; input_.valid == nullptr && n < rows_; ++n) {
        state_.length[n] += static_cast<std::int32_t>(input_.steps);  // as if no episode ended
    }
    for (std::int64_t t = 0; t < input_.steps; ++t) {
        if (withholds()) {
            for_ends(t, [&](std::int64_t n) {
                measure_episode(t, n);
                close(t, n, episodes);
            });
            continue;
        }
        take(t);
        count(t);
        for (std::int64_t n = 0; running_ && n < rows_; ++n) {
            if (valid(t, n)) {
                run_row(t, n);
            }
        }
        for_ends(t, [&](std::int64_t n) { close(t, n, episodes); });
    }
    if (!running_) {
        turn(episodes);
    }
}

// One more step of the episodes, unless all are counted already; rows of none are empty.
void GateBlock::count(std::int64_t t) {
    for (std::int64_t n = 0; input_.valid != nullptr && n < rows_; ++n) {
        if (valid(t, n)) {
            ++state_.length[n];
        } else {
            skip_row(t, n);
        }
    }
}

// Takes all valid rows of a step, neighbours together.
void GateBlock::take(std::int64_t t) {
    std::int64_t from = 0;
    while (from < rows_) {
        std::int64_t to = from;
        while (to < rows_ && (input_.valid == nullptr || valid(t, to))) {
            to = input_.valid == nullptr ? rows_ : to + 1;
        }
        if (to > from) {
            take_rows(t, from, to - from);
        }
        from = std::max(to, from) + 1;
    }
}

void GateBlock::take_rows(std::int64_t t, std::int64_t n, std::int64_t count) {
    const std::int64_t cell = n * channels_;
    GateTake step;
    step.cells = count * channels_;
    step.rewards = input_.rewards + (t * input_.environments + first_ + n) * channels_;
    step.flags = flags_.data() + cell;
    step.cap = cap_.data() + cell;
    step.measure = state_.measure + cell;
    step.positive = state_.positive + cell;
    step.waiting = state_.held + cell;
    step.gated = gated_.data == nullptr ? nullptr : gated_.row(t) + cell;
    take_(step);
    if (input_.conditions != nullptr) {
        meet_conditions(t, n, count);
    }
}

void GateBlock::meet_conditions(std::int64_t t, std::int64_t n, std::int64_t count) {
    const std::int64_t row = t * input_.environments + first_ + n;
    const std::uint8_t* conditions = input_.conditions + row * channels_;
    std::uint8_t* latch = state_.latch + n * channels_;
    for (std::int64_t i = 0; i < count * channels_; ++i) {
        const bool waits = rules_.waits[static_cast<std::size_t>(i % channels_)] != 0;
        latch[i] |= waits && conditions[i] != 0 ? kConditionMet : std::uint8_t{0};
    }
}

void GateBlock::skip_row(std::int64_t t, std::int64_t n) {
    std::fill_n(gated_.row(t) + n * channels_, channels_, 0.0F);
    if (gate_.data != nullptr) {
        std::fill_n(gate_.row(t) + n * channels_, channels_, std::uint8_t{0});
    }
}

// A running gate opens for this step and what follows.
void GateBlock::run_row(std::int64_t t, std::int64_t n) {
    cascade(n);
    std::uint8_t* gate = gate_.row(t) + n * channels_;
    std::uint8_t* latch = state_.latch + n * channels_;
    float* gated = gated_.row(t) + n * channels_;
    for (std::int64_t c = 0; c < channels_; ++c) {
        const bool opens = now_[static_cast<std::size_t>(c)] != 0;
        latch[c] = static_cast<std::uint8_t>(latch[c] | (opens ? kGateOpen : 0));
        gate[c] = latch[c] & kGateOpen;
    }
    for (const Level& own : gated_channels_) {
        const bool part = rules_.mask[own.channel] != 0 || gated[own.channel] > 0;
        gated[own.channel] = part && gate[own.channel] == 0 ? 0.0F : gated[own.channel];
    }
}

bool GateBlock::reached(std::int64_t n, std::size_t c) const {
    const auto own =
        static_cast<std::size_t>(rules_.per_environment() ? (first_ + n) * channels_ : 0);
    const double threshold = rules_.threshold[own + c];
    const double m = state_.measure[n * channels_ + static_cast<std::int64_t>(c)];
    return rules_.strict[c] != 0 ? m > threshold : m >= threshold;
}

// Which channels may pay by the present measures: all levels down to the first one that fails.
void GateBlock::cascade(std::int64_t n) {
    std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
    for (const Level& gate : gating_) {
        if (!reached(n, gate.channel)) {
            lowest = std::min(lowest, gate.level);
        }
    }
    const std::uint8_t* latch = state_.latch + n * channels_;
    for (const Level& own : gated_channels_) {
        const bool met =
            rules_.waits[own.channel] == 0 || (latch[own.channel] & kConditionMet) != 0;
        now_[own.channel] = own.level <= lowest && met ? 1 : 0;
    }
}

void GateBlock::close(std::int64_t t, std::int64_t n, GateEpisodes& episodes) {
    if (!running_) {
        cascade(n);
    }
    episodes.environment.push_back(first_ + n);
    episodes.step.push_back(t);
    const std::int64_t left = input_.valid == nullptr ? input_.steps - 1 - t : 0;
    const std::int64_t length = state_.length[n] - left;
    episodes.length.push_back(length);
    const std::uint8_t* latch = state_.latch + n * channels_;
    for (std::size_t c = 0; c < now_.size(); ++c) {
        now_[c] = running_ ? static_cast<std::uint8_t>(latch[c] & kGateOpen) : now_[c];
        const double share = rules_.mean[c] != 0 ? static_cast<double>(length) : 1.0;
        const double held = state_.held[n * channels_ + static_cast<std::int64_t>(c)];
        lump_[c] = now_[c] != 0 && !running_ ? held / share : 0.0;
    }
    const double* measure = state_.measure + n * channels_;
    episodes.measure.insert(episodes.measure.end(), measure, measure + channels_);
    episodes.lump.insert(episodes.lump.end(), lump_.begin(), lump_.end());
    episodes.open.insert(episodes.open.end(), now_.begin(), now_.end());
    forget(n);
    state_.length[n] = static_cast<std::int32_t>(left);
    since_[static_cast<std::size_t>(n)] = t + 1;
}

void GateBlock::forget(std::int64_t n) {
    for (std::size_t c = 0; c < now_.size(); ++c) {
        const std::int64_t cell = n * channels_ + static_cast<std::int64_t>(c);
        const bool most = static_cast<Aggregate>(rules_.aggregate[c]) == Aggregate::max;
        state_.measure[cell] = most ? -std::numeric_limits<double>::infinity() : 0.0;
        state_.positive[cell] = 0;
        state_.held[cell] = 0;
        state_.latch[cell] = 0;
    }
}

}  // namespace embody
