#include "world/candidates.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "world/kernels.h"

namespace embody {
namespace {

constexpr double kTemperature = 0.1;  // of a draw by exp(reward / temperature)

// The largest of scores with Gumbel noise is a draw by softmax.
double gumbel(std::uint32_t bits) {
    const double uniform = (static_cast<double>(bits >> 9) + 0.5) * 0x1p-23;
    return -std::log(-std::log(uniform));
}

}  // namespace

Candidates::Candidates(const Ensemble& ensemble, const RolloutSettings& settings)
    : ensemble_(ensemble),
      settings_(settings),
      judges_(*settings.filter.judges),
      state_(ensemble.state()),
      count_(static_cast<std::int64_t>(ensemble.elites().size()) * settings.filter.resamples),
      head_(judges_.head(), settings.precision),
      tail_(judges_.tail(), settings.precision),
      candidates_(count_ * kBlockRows * state_),
      noise_(kBlockRows * drawn_columns(state_)),
      inputs_(kBlockRows * row_stride(judges_.head().inputs())),
      changes_(count_ * kBlockRows * row_stride(state_)),
      votes_(count_ * kBlockRows * judges_.count()),
      rewards_(count_ * kBlockRows),
      zeros_(static_cast<std::size_t>(judges_.count()), 0.0F),
      ones_(static_cast<std::size_t>(judges_.count()), 1.0F),
      ids_(static_cast<std::size_t>(kBlockRows)) {}

void Candidates::begin(const LiveRows& rows, std::span<const std::int32_t> index,
                       std::uint32_t step) {
    rows_ = rows;
    index_ = index;
    step_ = step;
    const std::int64_t stride = row_stride(judges_.head().inputs());
    for (std::size_t i = 0; i < index.size(); ++i) {
        const std::int64_t row = index[i];
        ids_[i] = rows.ids[row];
        judges_.before(rows.state + row * state_, rows.action + row * ensemble_.action(),
                       inputs_.data() + static_cast<std::int64_t>(i) * stride);
    }
}

void Candidates::add(std::int64_t place, Rows outputs, const float* variances) {
    const auto rows = static_cast<std::int64_t>(index_.size());
    const std::int64_t drawn = drawn_columns(state_);
    for (std::int64_t i = 0; i < settings_.filter.resamples; ++i) {
        const std::int64_t number = place * settings_.filter.resamples + i;
        if (settings_.noise) {
            const auto first = static_cast<std::uint32_t>(number * drawn / 4);
            world_kernels().normals({PhiloxKey(settings_.seed), Stream::state, step_, ids_.data(),
                                     rows, state_, noise_.data(), first});
        }
        for (std::int64_t row = 0; row < rows; ++row) {
            const float* state = rows_.state + index_[static_cast<std::size_t>(row)] * state_;
            const float* mean = outputs.data + row * outputs.stride;
            const float* noise = noise_.data() + row * drawn;
            float* next = candidate(number, row);
            for (std::int64_t c = 0; c < state_; ++c) {
                const float apart =
                    settings_.noise ? std::sqrt(variances[row * state_ + c]) * noise[c] : 0.0F;
                next[c] = state[c] + (mean[c] + apart);
            }
            ensemble_.keep_near(next);
            ensemble_.repair(next);
            judges_.change(state, next,
                           changes_.data() + (number * kBlockRows + row) * row_stride(state_));
        }
    }
}

void Candidates::vote() {
    const auto rows = static_cast<std::int64_t>(index_.size());
    const std::int64_t stride = row_stride(judges_.head().inputs());
    const std::int64_t change_stride = row_stride(state_);
    const std::int64_t judges = judges_.count();
    for (std::int64_t g = 0; g < judges; ++g) {
        const Rows sums = head_.run(judges_.head_panels(), g, rows, {inputs_.data(), stride});
        for (std::int64_t j = 0; j < count_; ++j) {
            const Rows changes = {changes_.data() + j * kBlockRows * change_stride, change_stride};
            const Rows logits = tail_.run(judges_.tail_panels(), g, rows, changes, sums);
            float* places = votes_.data() + j * kBlockRows * judges + g;
            for (std::int64_t row = 0; row < rows; ++row) {
                places[row * judges] = judges_.place(g, logits.data[row * logits.stride]);
            }
        }
    }
}

void Candidates::reward_all() {
    const auto rows = static_cast<std::int64_t>(index_.size());
    const std::int64_t judges = judges_.count();
    for (std::int64_t j = 0; j < count_; ++j) {
        float* votes = votes_.data() + j * kBlockRows * judges;
        // with these bounds a variance is a sigmoid
        world_kernels().variances(
            {rows, judges, votes, judges, zeros_.data(), ones_.data(), votes});
        for (std::int64_t row = 0; row < rows; ++row) {
            rewards_.data()[j * kBlockRows + row] = judges_.reward(votes + row * judges);
        }
    }
}

void Candidates::choose() {
    vote();
    reward_all();
    const std::vector<std::int32_t>& elites = ensemble_.elites();
    for (std::size_t i = 0; i < index_.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        const std::int64_t number =
            settings_.propagation == Propagation::select ? best(row) : drawn(row);
        const std::int64_t to = index_[i];
        std::copy_n(candidate(number, row), state_, rows_.next + to * state_);
        const auto place = static_cast<std::size_t>(number / settings_.filter.resamples);
        rows_.member[to] = static_cast<std::int8_t>(elites[place]);
        rows_.credible[to] = reward(number, row);
    }
}

std::int64_t Candidates::best(std::int64_t row) const {
    std::int64_t found = 0;
    for (std::int64_t j = 1; j < count_; ++j) {
        // a reward that is no number is never the best
        if (reward(j, row) > reward(found, row) || std::isnan(reward(found, row))) {
            found = j;
        }
    }
    return found;
}

std::int64_t Candidates::drawn(std::int64_t row) const {
    const PhiloxKey key(settings_.seed);
    const std::uint32_t id = ids_[static_cast<std::size_t>(row)];
    std::array<std::uint32_t, 4> words{};
    std::int64_t found = 0;
    double most = -HUGE_VAL;
    for (std::int64_t j = 0; j < count_; ++j) {
        if (j % 4 == 0) {
            words = philox({id, step_, static_cast<std::uint32_t>(Stream::choice),
                            static_cast<std::uint32_t>(j / 4)},
                           key);
        }
        const double score = static_cast<double>(reward(j, row)) / kTemperature +
                             gumbel(words[static_cast<std::size_t>(j % 4)]);
        if (score > most) {
            most = score;
            found = j;
        }
    }
    return found;
}

float* Candidates::candidate(std::int64_t number, std::int64_t row) const {
    return candidates_.data() + (number * kBlockRows + row) * state_;
}

float Candidates::reward(std::int64_t number, std::int64_t row) const {
    return rewards_.data()[number * kBlockRows + row];
}

}  // namespace embody
