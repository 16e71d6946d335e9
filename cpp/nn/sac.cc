#include "nn/sac.h"

#include <algorithm>

#include "base/check.h"
#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "nn/sac_worker.h"

namespace embody {
namespace {

SacNetworks checked(const SacNetworks& n) {
    check_network(n.actor, n.actor_parameters);
    check_network(n.critic, n.critic_parameters);
    if (n.actor.groups != 1 || n.actor.outputs() % 2 != 0) {
        fail("sac: expected one actor with as many log stds as means, got ", n.actor.groups,
             " actors of ", n.actor.outputs(), " outputs");
    }
    if (n.channels < 1 || n.critic.groups % n.channels != 0 || n.critic.outputs() != 1) {
        fail("sac: expected critics of one output, equally many for each of the ", n.channels,
             " channels, got ", n.critic.groups, " of ", n.critic.outputs(), " outputs");
    }
    if (n.critic_observations() < 1) {
        fail("sac: expected critics of an observation and ", n.actions(), " actions, got ",
             n.critic.inputs(), " inputs");
    }
    if (!(n.low < n.high)) {
        fail("sac: expected a lowest log std below the highest one, got ", n.low, " and ", n.high);
    }
    return n;
}

}  // namespace

SacGradient::SacGradient(const SacNetworks& networks, int threads)
    : networks_(checked(networks)),
      slices_({networks.actor}, threads),
      actor_panels_(networks.actor),
      critic_panels_(networks.critic),
      sums_size_(padded(1 + networks.channels)),
      sums_(static_cast<std::size_t>(Slices::kMost * sums_size_)) {
    for (int i = 0; i < slices_.threads(); ++i) {
        workers_.emplace_back(networks_);
    }
}

SacGradient::~SacGradient() = default;

void SacGradient::targets(const float* actor, const float* target_critics,
                          const SacRows& successors, const float* rewards, const float* discount,
                          float* out) {
    actor_panels_.pack(actor, Back::none);
    critic_panels_.pack(target_critics, Back::none);
    const std::int64_t channels = networks_.channels;
    const std::int64_t blocks = (successors.count + kBlockRows - 1) / kBlockRows;
    const double cost = static_cast<double>(successors.count) *
                        (networks_.actor.nanoseconds() + networks_.critic.nanoseconds());
    parallel_for(blocks, useful_threads(slices_.threads(), cost),
                 [&](std::int64_t begin, std::int64_t end, int thread) {
                     const FloatMode mode;
                     SacWorker& worker = workers_[static_cast<std::size_t>(thread)];
                     for (std::int64_t b = begin; b < end; ++b) {
                         const std::int64_t first = b * kBlockRows;
                         const std::int64_t count = std::min(kBlockRows, successors.count - first);
                         worker.act(actor_panels_, successors, first, count);
                         for (std::int64_t c = 0; c < channels; ++c) {
                             worker.least(critic_panels_, c, count, worker.values());
                             for (std::int64_t r = 0; r < count; ++r) {
                                 const std::int64_t at = (first + r) * channels + c;
                                 out[at] = rewards[at] + discount[at] * worker.values()[r];
                             }
                         }
                     }
                 });
}

void SacGradient::actor(const float* actor, const float* critics, const SacRows& rows,
                        const float* weights, float temperature, float* message) {
    actor_panels_.pack(actor, Back::parameters);
    critic_panels_.pack(critics, Back::inputs);
    const double cost = static_cast<double>(rows.count) * (3.0 * networks_.actor.nanoseconds() +
                                                           2.0 * networks_.critic.nanoseconds());
    const std::int64_t slices = slices_.run(rows.count, cost, [&](const Slice& slice, int thread) {
        std::fill_n(sums_.data() + slice.number * sums_size_, sums_size_, 0.0);
        for (std::int64_t first = slice.first; first < slice.last; first += kBlockRows) {
            actor_block(rows, first, std::min(kBlockRows, slice.last - first), weights, temperature,
                        slice, workers_[static_cast<std::size_t>(thread)]);
        }
    });
    slices_.gather(slices, message);
    finish(slices, rows.count, weights, temperature, message + networks_.actor_parameters);
}

void SacGradient::actor_block(const SacRows& rows, std::int64_t first, std::int64_t count,
                              const float* weights, float temperature, const Slice& slice,
                              SacWorker& worker) {
    double* sums = sums_.data() + slice.number * sums_size_;
    worker.act(actor_panels_, rows, first, count);
    for (std::int64_t r = 0; r < count; ++r) {
        sums[0] += static_cast<double>(worker.log_probs()[r]);
    }
    for (std::int64_t c = 0; c < networks_.channels; ++c) {
        worker.least(critic_panels_, c, count, worker.values());
        for (std::int64_t r = 0; r < count; ++r) {
            sums[1 + c] += static_cast<double>(worker.values()[r]);
        }
        worker.back_channel(critic_panels_, c, count, -weights[c]);
    }
    worker.back_actor(actor_panels_, slices_.layout(0), rows, first, count, temperature,
                      1.0F / static_cast<float>(rows.count), slice.gradient);
}

void SacGradient::finish(std::int64_t slices, std::int64_t rows, const float* weights,
                         float temperature, float* statistics) const {
    double loss = 0.0;
    for (std::int64_t i = 0; i < 1 + networks_.channels; ++i) {
        double sum = 0.0;
        for (std::int64_t s = 0; s < slices; ++s) {
            sum += sums_[static_cast<std::size_t>(s * sums_size_ + i)];
        }
        const double mean = sum / static_cast<double>(rows);
        statistics[1 + i] = static_cast<float>(mean);
        loss += mean * static_cast<double>(i == 0 ? temperature : -weights[i - 1]);
    }
    statistics[0] = static_cast<float>(loss);
}

void polyak(std::int64_t count, float rate, const float* source, float* target) {
    const FloatMode mode;
    for (std::int64_t i = 0; i < count; ++i) {
        target[i] += rate * (source[i] - target[i]);
    }
}

}  // namespace embody
