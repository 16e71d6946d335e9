#include "world/acting.h"

#include <algorithm>
#include <cmath>

#include "world/kernels.h"

namespace embody {

Acting::Acting(const Actor& actor, const RolloutSettings& settings)
    : actor_(actor),
      settings_(settings),
      forward_(actor.network(), settings.precision),
      inputs_(kBlockRows * row_stride(actor.network().inputs())),
      noise_(kBlockRows * drawn_columns(actor.actions())) {}

void Acting::act(std::int64_t count, const std::uint32_t* ids, std::uint32_t step,
                 const float* observations, float* action) {
    const std::int64_t width = actor_.network().inputs();
    const std::int64_t stride = row_stride(width);
    for (std::int64_t first = 0; first < count; first += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, count - first);
        for (std::int64_t i = 0; i < rows; ++i) {
            actor_.inputs(observations + (first + i) * width, inputs_.data() + i * stride);
        }
        const Rows outputs = forward_.run(actor_.panels(), 0, rows, {inputs_.data(), stride});
        if (settings_.noise && !actor_.std().empty()) {
            world_kernels().normals({PhiloxKey(settings_.seed), Stream::action, step, ids + first,
                                     rows, actor_.actions(), noise_.data()});
        }
        for (std::int64_t i = 0; i < rows; ++i) {
            put(outputs, i, actor_.turned(observations + (first + i) * width),
                action + (first + i) * actor_.actions());
        }
    }
}

void Acting::put(Rows outputs, std::int64_t place, bool turned, float* action) const {
    const ActorMirror& mirror = actor_.mirror();
    for (std::int64_t i = 0; i < actor_.actions(); ++i) {
        const auto c = static_cast<std::size_t>(i);
        action[i] = turned
                        ? component(outputs, place, mirror.action_index[c]) * mirror.action_sign[c]
                        : component(outputs, place, i);
    }
}

float Acting::component(Rows outputs, std::int64_t place, std::int64_t i) const {
    const bool noisy = settings_.noise && !actor_.std().empty();
    const float noise = noise_.data()[place * drawn_columns(actor_.actions()) + i];
    const float std = noisy ? actor_.std()[static_cast<std::size_t>(i)] * noise : 0.0F;
    const float value = outputs.data[place * outputs.stride + i] + std;
    return actor_.squashed() > 0.0F ? std::tanh(value) * actor_.squashed() : value;
}

}  // namespace embody
