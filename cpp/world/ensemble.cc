#include "world/ensemble.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/check.h"

namespace embody {
namespace {

constexpr float kFar = 25.0F;  // deviations

void check_columns(const StateColumns& columns, std::int64_t outputs, std::int64_t inputs) {
    const std::int64_t s = columns.width;
    if (s < 1 || outputs != 2 * s || inputs <= s) {
        fail("ensemble: expected ", 2 * s, " outputs for ", s,
             " numbers of state, and inputs for an action as well, got ", outputs, " outputs and ",
             inputs, " inputs");
    }
    for (const std::int64_t first : columns.quaternions) {
        if (first < 0 || first + 4 > s) {
            fail("quaternions: expected first columns within [0, ", s - 3, "), got ", first);
        }
    }
    for (const std::int64_t column : columns.truths) {
        if (column < 0 || column >= s) {
            fail("truths: expected columns within [0, ", s, "), got ", column);
        }
    }
}

// exp of sign * x, in double.
std::vector<float> powers(const float* x, std::int64_t count, double sign) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < count; ++i) {
        out.push_back(static_cast<float>(std::exp(sign * static_cast<double>(x[i]))));
    }
    return out;
}

void check_permutation(const char* what, const std::vector<std::int64_t>& index,
                       const std::vector<float>& sign, std::int64_t width) {
    if (std::ssize(index) != width || std::ssize(sign) != width) {
        fail("mirror: ", what, ": expected ", width, " columns and signs, got ", index.size(),
             " and ", sign.size());
    }
    for (const std::int64_t column : index) {
        if (column < 0 || column >= width) {
            fail("mirror: ", what, ": expected columns within [0, ", width, "), got ", column);
        }
    }
}

void check_mirror(const ActorMirror& mirror, std::int64_t observation, std::int64_t actions) {
    if (mirror.clock < 0) {
        return;
    }
    if (mirror.clock >= observation) {
        fail("mirror: clock: expected a column within [0, ", observation, "), got ", mirror.clock);
    }
    check_permutation("observations", mirror.observation_index, mirror.observation_sign,
                      observation);
    check_permutation("actions", mirror.action_index, mirror.action_sign, actions);
}

}  // namespace

Ensemble::Ensemble(const Network& network, const StateColumns& columns,
                   const EnsembleArrays& arrays)
    : network_(network), columns_(columns), panels_(network, arrays.flat), elites_(arrays.elites) {
    check_columns(columns, network.outputs(), network.inputs());
    if (elites_.empty() || network.groups > 127) {
        fail("ensemble: expected at least one elite and at most 127 members, got ", elites_.size(),
             " and ", network.groups);
    }
    for (const std::int32_t elite : elites_) {
        if (elite < 0 || elite >= network.groups) {
            fail("elites: expected members within [0, ", network.groups, "), got ", elite);
        }
    }
    mean_.assign(arrays.mean, arrays.mean + network.inputs());
    inverse_std_.assign(arrays.inverse_std, arrays.inverse_std + network.inputs());
    low_ = powers(arrays.log_var_min, columns.width, 1.0);
    high_ = powers(arrays.log_var_max, columns.width, -1.0);
}

void Ensemble::inputs(const float* state_row, const float* action_row, float* out) const {
    const std::int64_t s = state();
    for (std::int64_t i = 0; i < s; ++i) {
        const auto c = static_cast<std::size_t>(i);
        out[i] = (state_row[i] - mean_[c]) * inverse_std_[c];
    }
    for (std::int64_t i = 0; i < action(); ++i) {
        const auto c = static_cast<std::size_t>(s + i);
        out[s + i] = (action_row[i] - mean_[c]) * inverse_std_[c];
    }
}

void Ensemble::repair(float* state_row) const {
    for (const std::int64_t first : columns_.quaternions) {
        float* q = state_row + first;
        const float length = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
        for (int i = 0; i < 4 && length > 0.0F; ++i) {
            q[i] /= length;
        }
    }
    for (const std::int64_t column : columns_.truths) {
        state_row[column] = state_row[column] > 0.5F ? 1.0F : 0.0F;
    }
}

void Ensemble::keep_near(float* state_row) const {
    for (std::size_t c = 0; c < static_cast<std::size_t>(state()); ++c) {
        const float most = kFar / inverse_std_[c];
        const float apart = state_row[c] - mean_[c];
        state_row[c] = apart > most    ? mean_[c] + most
                       : apart < -most ? mean_[c] - most
                                       : state_row[c];
    }
}

Actor::Actor(const Network& network, const ActorArrays& arrays, std::int64_t actions,
             float squashed, const ActorMirror& mirror)
    : network_(network),
      panels_(network, arrays.flat),
      std_(arrays.std),
      actions_(actions),
      clip_(arrays.clip),
      squashed_(squashed),
      mirror_(mirror) {
    const std::int64_t outputs = network.outputs();
    if (outputs != actions && !(squashed > 0.0F && outputs == 2 * actions)) {
        fail("actor: expected ", actions, " outputs, as many as the members' actions, got ",
             outputs);
    }
    check_mirror(mirror, network.inputs(), actions);
    mean_.assign(arrays.mean, arrays.mean + network.inputs());
    inverse_std_.assign(arrays.inverse_std, arrays.inverse_std + network.inputs());
}

void Actor::inputs(const float* observation, float* out) const {
    const bool mirrored = turned(observation);
    for (std::int64_t i = 0; i < network_.inputs(); ++i) {
        const auto c = static_cast<std::size_t>(i);
        const float seen =
            mirrored ? observation[mirror_.observation_index[c]] * mirror_.observation_sign[c]
                     : observation[i];
        const float x = (seen - mean_[c]) * inverse_std_[c];
        out[i] = x > clip_ ? clip_ : x < -clip_ ? -clip_ : x;  // a NaN stays
    }
}

}  // namespace embody
