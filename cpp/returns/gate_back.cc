// The way back through a block: what waited is paid as the ends of episodes decide.
#include <algorithm>
#include <limits>

#include "returns/gate_block.h"

namespace embody {
namespace {

// What a cell that waits for its gate is paid: nothing, everything, or everything though the gate
// has not opened yet.
constexpr std::uint32_t kNothing = 0;
constexpr std::uint32_t kOpen = 1;
constexpr std::uint32_t kAhead = 2;
constexpr float kAll = std::numeric_limits<float>::infinity();

}  // namespace

bool GateBlock::open(std::int64_t t, std::int64_t n, std::int64_t c) const {
    const std::int64_t cell = n * channels_ + c;
    return running_ ? gate_.row(t)[cell] != 0 : pays_[static_cast<std::size_t>(cell)] == kOpen;
}

// Between the way up and the way back: the last rows are those of unfinished episodes.
void GateBlock::turn(const GateEpisodes& episodes) {
    next_ = episodes.step.size();
    const std::uint32_t unfinished = rules_.pending == GatePending::open ? kAhead : kNothing;
    const auto cells = static_cast<std::size_t>(rows_ * channels_);
    for (std::size_t i = 0; i < cells; ++i) {
        pays_[i] = (flags_[i] & kGateGated) != 0 ? unfinished : kOpen;
    }
    for (std::size_t i = 0; shared_ && i < cells; ++i) {
        const std::int32_t length = state_.length[static_cast<std::int64_t>(i) / channels_];
        length_[i] = static_cast<float>(std::max(length, 1));
    }
    for (std::size_t i = 0; i < most_.size() && i < cells; ++i) {
        most_[i] = pays_[i] == kNothing ? 0.0F : kAll;
    }
    std::fill(lost_.begin(), lost_.end(), 0.0);
    std::fill(best_.begin(), best_.end(), -kAll);
    if (rules_.pending != GatePending::hold) {
        settle_held(cells);
    }
}

// What unfinished episodes hold of earlier buffers is forgotten, or paid at the last step.
void GateBlock::settle_held(std::size_t cells) {
    double* held = state_.held;
    for (std::size_t i = 0; i < early_.size() && i < cells; ++i) {
        const bool mean = (flags_[i] & kGateMean) != 0;
        early_[i] = mean ? held[i] / static_cast<double>(length_[i]) : held[i];
    }
    std::fill_n(held, cells, 0.0);
}

void GateBlock::back(std::int64_t t, const GateEpisodes& episodes, float* out, std::uint8_t* gate) {
    if (running_) {
        std::copy_n(gated_.row(t), rows_ * channels_, out);
        return;
    }
    const std::size_t last = next_;
    while (next_ > begun_ && episodes.step[next_ - 1] == t) {
        --next_;
        const std::int64_t n = episodes.environment[next_] - first_;
        if (since_[static_cast<std::size_t>(n)] == t + 1) {
            leave(n);
        }
        begin_episode(n, episodes, next_);
    }
    const float* rewards = input_.rewards + (t * input_.environments + first_) * channels_;
    GatePay step;
    step.cells = rows_ * channels_;
    step.source = gated_.data == nullptr ? rewards : gated_.row(t);
    step.flags = flags_.data();
    step.pays = pays_.data();
    step.length = length_.data();
    step.lost = lost_.empty() ? nullptr : lost_.data();
    step.out = out;
    return_kernels().pay(shared_, step.lost != nullptr)(step);
    add_lumps(t, episodes, last, out);
    for (std::int64_t n = 0; gate != nullptr && n < rows_; ++n) {
        for (std::int64_t c = 0; c < channels_; ++c) {
            gate[n * channels_ + c] = open(t, n, c) && valid(t, n) ? 1 : 0;
        }
    }
}

std::pair<std::size_t, std::size_t> GateBlock::ended(std::int64_t t, const GateEpisodes& episodes) {
    const std::size_t last = next_;
    while (next_ > begun_ && episodes.step[next_ - 1] == t) {
        --next_;
        const std::int64_t n = episodes.environment[next_] - first_;
        if (since_[static_cast<std::size_t>(n)] == t + 1) {
            leave(n);
        }
        const std::int64_t cell = n * channels_;
        const std::size_t from = next_ * static_cast<std::size_t>(channels_);
        for (const Level& own : gated_channels_) {
            const bool open = episodes.open[from + own.channel] != 0;
            most_[static_cast<std::size_t>(cell) + own.channel] = open ? kAll : 0.0F;
        }
    }
    return {next_, last};
}

Withholding GateBlock::withholding() {
    return {most_.data(), best_.empty() ? nullptr : best_.data(), lost_.data()};
}

// What the steps of unfinished episodes were not paid is held, and measured where the way up read
// nothing. Rows that ended have left already: nothing is added to theirs.
void GateBlock::finish(const GateEpisodes& episodes) {
    for (std::size_t k = begun_; k < episodes.step.size(); ++k) {
        const std::int64_t row = (episodes.environment[k] - first_) * channels_;
        std::fill_n(lost_.begin() + row, lost_.empty() ? 0 : channels_, 0.0);
        std::fill_n(best_.begin() + row, best_.empty() ? 0 : channels_, -kAll);
    }
    const auto cells = static_cast<std::size_t>(rows_ * channels_);
    const bool holds = rules_.pending == GatePending::hold && !lost_.empty() && !running_;
    for (std::size_t i = 0; holds && i < cells; ++i) {
        state_.held[i] += lost_[i];
    }
    if (withholds()) {
        measure_unfinished(cells, episodes);
    }
}

void GateBlock::measure_unfinished(std::size_t cells, const GateEpisodes& episodes) {
    const std::int64_t before = input_.steps - 1;
    const float* last = input_.rewards + (before * input_.environments + first_) * channels_;
    double* __restrict measure = state_.measure;
    for (std::size_t i = 0; i < best_.size() && i < cells; ++i) {
        const auto best = static_cast<double>(best_[i]);
        measure[i] = ((flags_[i] & kGateMax) != 0) & (best > measure[i]) ? best : measure[i];
    }
    for (std::size_t i = 0; i < cells; ++i) {
        measure[i] = (flags_[i] & kGateLast) != 0 ? static_cast<double>(last[i]) : measure[i];
    }
    for (std::size_t k = episodes.step.size(); k > begun_ && episodes.step[k - 1] == before; --k) {
        forget(episodes.environment[k - 1] - first_);
    }
}

// The way back comes to an end: it has passed all steps of the row's unfinished episode.
void GateBlock::leave(std::int64_t n) {
    const std::int64_t row = n * channels_;
    const bool holds = rules_.pending == GatePending::hold && !lost_.empty();
    for (std::int64_t i = row; holds && i < row + channels_; ++i) {
        state_.held[i] += lost_[static_cast<std::size_t>(i)];
    }
    for (std::int64_t i = row; !best_.empty() && i < row + channels_; ++i) {
        const auto cell = static_cast<std::size_t>(i);
        if ((flags_[cell] & kGateMax) != 0) {
            state_.measure[i] = std::max(state_.measure[i], static_cast<double>(best_[cell]));
        }
    }
}

void GateBlock::begin_episode(std::int64_t n, const GateEpisodes& episodes, std::size_t index) {
    const std::int64_t from = static_cast<std::int64_t>(index) * channels_;
    std::copy_n(episodes.open.data() + from, channels_, pays_.data() + n * channels_);
    if (shared_) {
        const auto length = static_cast<float>(episodes.length[index]);
        std::fill_n(length_.data() + n * channels_, channels_, length);
    }
}

// Adds to step t what was held for its ends, the episodes [next_, last), or for the buffer's end.
void GateBlock::add_lumps(std::int64_t t, const GateEpisodes& episodes, std::size_t last,
                          float* out) const {
    const auto add = [](float& cell, double lump) {
        if (lump != 0) {
            cell = static_cast<float>(static_cast<double>(cell) + lump);
        }
    };
    const auto width = static_cast<std::size_t>(channels_);
    for (std::size_t k = next_; k < last; ++k) {
        const std::int64_t n = episodes.environment[k] - first_;
        for (std::size_t c = 0; c < width; ++c) {
            add(out[n * channels_ + static_cast<std::int64_t>(c)], episodes.lump[k * width + c]);
        }
    }
    const auto cells = static_cast<std::size_t>(rows_ * channels_);
    for (std::size_t i = 0; t == input_.steps - 1 && i < early_.size() && i < cells; ++i) {
        add(out[i], early_[i]);
    }
}

}  // namespace embody
