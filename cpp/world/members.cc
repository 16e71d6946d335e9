#include "world/members.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "world/kernels.h"

namespace embody {

Members::Members(const Ensemble& ensemble, const RolloutSettings& settings, std::int64_t rows)
    : ensemble_(ensemble),
      settings_(settings),
      state_(ensemble.state()),
      noisy_(settings.noise && settings.propagation != Propagation::mean),
      forward_(ensemble.network(), settings.precision),
      means_(ensemble.state()),
      place_(static_cast<std::size_t>(ensemble.members()), -1),
      inputs_(kBlockRows * row_stride(ensemble.network().inputs())),
      noise_(kBlockRows * drawn_columns(ensemble.state())),
      variances_(kBlockRows * ensemble.state()),
      ids_(static_cast<std::size_t>(kBlockRows)),
      order_(static_cast<std::size_t>(rows)),
      ends_(static_cast<std::size_t>(ensemble.members() + 1)) {
    for (std::size_t i = 0; i < ensemble.elites().size(); ++i) {
        place_[static_cast<std::size_t>(ensemble.elites()[i])] = static_cast<std::int64_t>(i);
    }
    if (settings.filter.judges != nullptr) {
        candidates_.emplace(ensemble, settings);
    }
}

void Members::step(const LiveRows& rows, std::uint32_t step) {
    choose(rows, step);
    if (settings_.alone()) {
        chosen(rows, step);
    } else {
        std::iota(order_.begin(), order_.begin() + rows.count, 0);
        for (std::int64_t first = 0; first < rows.count; first += kBlockRows) {
            const std::int64_t count = std::min(kBlockRows, rows.count - first);
            everyone(rows, {order_.data() + first, static_cast<std::size_t>(count)}, step);
        }
    }
    for (std::int64_t row = 0; row < rows.count && !candidates_; ++row) {
        ensemble_.repair(rows.next + row * state_);
    }
}

void Members::choose(const LiveRows& rows, std::uint32_t step) {
    if (settings_.propagation == Propagation::mean || candidates_) {
        std::fill_n(rows.member, rows.count, std::int8_t{-1});
        return;
    }
    const std::vector<std::int32_t>& elites = ensemble_.elites();
    const std::uint32_t at = settings_.propagation == Propagation::elite ? 0 : step;
    const PhiloxKey key(settings_.seed);
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const std::uint64_t bits =
            philox({rows.ids[row], at, static_cast<std::uint32_t>(Stream::member), 0}, key)[0];
        const auto place = static_cast<std::size_t>(bits * elites.size() >> 32);
        rows.member[row] = static_cast<std::int8_t>(elites[place]);
    }
}

// A counting sort.
void Members::sort(const LiveRows& rows) {
    std::fill(ends_.begin(), ends_.end(), 0);
    for (std::int64_t row = 0; row < rows.count; ++row) {
        ++ends_[static_cast<std::size_t>(rows.member[row]) + 1];
    }
    std::partial_sum(ends_.begin(), ends_.end(), ends_.begin());
    std::vector<std::int64_t> next(ends_.begin(), ends_.end() - 1);
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const auto member = static_cast<std::size_t>(rows.member[row]);
        order_[static_cast<std::size_t>(next[member]++)] = static_cast<std::int32_t>(row);
    }
}

void Members::chosen(const LiveRows& rows, std::uint32_t step) {
    sort(rows);
    for (std::int64_t member = 0; member < ensemble_.members(); ++member) {
        std::int64_t first = ends_[static_cast<std::size_t>(member)];
        const std::int64_t end = ends_[static_cast<std::size_t>(member) + 1];
        for (; first < end; first += kBlockRows) {
            const std::int64_t count = std::min(kBlockRows, end - first);
            const Index index(order_.data() + first, static_cast<std::size_t>(count));
            gather(rows, index);
            draw(rows, index, step);
            const Rows outputs = predict(member, count);
            for (std::int64_t i = 0; i < count; ++i) {
                move(rows, index[static_cast<std::size_t>(i)], outputs, i);
            }
        }
    }
}

void Members::everyone(const LiveRows& rows, Index index, std::uint32_t step) {
    const auto count = static_cast<std::int64_t>(index.size());
    gather(rows, index);
    if (candidates_) {
        candidates_->begin(rows, index, step);
    } else {
        draw(rows, index, step);
    }
    means_.clear(count);
    std::fill_n(rows.penalty + index.front(), count, 0.0F);
    for (std::int64_t member = 0; member < ensemble_.members(); ++member) {
        const std::int64_t place = place_[static_cast<std::size_t>(member)];
        if (settings_.penalty == Penalty::none && place < 0) {
            continue;
        }
        const Rows outputs = predict(member, count);
        means_.add(outputs, place >= 0);
        if (candidates_ && place >= 0) {
            candidates_->add(place, outputs, variances_.data());
        }
        if (settings_.penalty == Penalty::aleatoric) {
            largest_spread(rows, index);
        }
        for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t row = index[static_cast<std::size_t>(i)];
            if (rows.member[row] == member) {
                move(rows, row, outputs, i);
            }
        }
    }
    if (candidates_) {
        candidates_->choose();
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = index[static_cast<std::size_t>(i)];
        if (settings_.penalty == Penalty::disagreement) {
            rows.penalty[row] = means_.disagreement(i);
        }
        if (settings_.propagation == Propagation::mean) {
            float* next = rows.next + row * state_;
            means_.elites(i, next);
            std::transform(next, next + state_, rows.state + row * state_, next, std::plus<>());
        }
    }
}

void Members::gather(const LiveRows& rows, Index index) {
    const std::int64_t stride = row_stride(ensemble_.network().inputs());
    float* out = inputs_.data();
    for (const std::int32_t row : index) {
        ensemble_.inputs(rows.state + row * state_, rows.action + row * ensemble_.action(), out);
        out += stride;
    }
}

void Members::draw(const LiveRows& rows, Index index, std::uint32_t step) {
    if (!noisy_) {
        return;
    }
    for (std::size_t i = 0; i < index.size(); ++i) {
        ids_[i] = rows.ids[index[i]];
    }
    world_kernels().normals({PhiloxKey(settings_.seed), Stream::state, step, ids_.data(),
                             static_cast<std::int64_t>(index.size()), state_, noise_.data()});
}

// A member's outputs for the gathered rows, and their variances where these are needed.
Rows Members::predict(std::int64_t member, std::int64_t count) {
    const Rows outputs = forward_.run(ensemble_.panels(), member, count,
                                      {inputs_.data(), row_stride(ensemble_.network().inputs())});
    if (noisy_ || settings_.penalty == Penalty::aleatoric) {
        world_kernels().variances({count, state_, outputs.data + state_, outputs.stride,
                                   ensemble_.low(), ensemble_.high(), variances_.data()});
    }
    return outputs;
}

void Members::largest_spread(const LiveRows& rows, Index index) const {
    const float* variance = variances_.data();
    for (const std::int32_t row : index) {
        const float sum = std::accumulate(variance, variance + state_, 0.0F);
        rows.penalty[row] = std::max(rows.penalty[row], std::sqrt(sum));
        variance += state_;
    }
}

// s' = s + mean + std noise, by the outputs, variances and noise of one gathered row.
void Members::move(const LiveRows& rows, std::int64_t row, Rows outputs, std::int64_t place) const {
    const float* state = rows.state + row * state_;
    const float* mean = outputs.data + place * outputs.stride;
    const float* variance = variances_.data() + place * state_;
    const float* noise = noise_.data() + place * drawn_columns(state_);
    float* next = rows.next + row * state_;
    for (std::int64_t c = 0; c < state_; ++c) {
        const float change = noisy_ ? mean[c] + std::sqrt(variance[c]) * noise[c] : mean[c];
        next[c] = state[c] + change;
    }
}

}  // namespace embody
