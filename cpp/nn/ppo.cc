#include "nn/ppo.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "nn/kernels.h"
#include "nn/ppo_worker.h"

namespace embody {
namespace {

constexpr int kSlices = 8;
constexpr double kNanosecondsPerSum = 0.1;

PpoNetworks checked(const PpoNetworks& n) {
    check_network(n.actor, n.parameters);
    check_network(n.critic, n.parameters);
    if (n.actor.groups != 1 || (n.critic.groups > 1 && n.critic.outputs() > 1)) {
        fail("ppo: expected one actor, and critics of one output each or one critic, got ",
             n.actor.groups, " actors and ", n.critic.groups, " critics of ", n.critic.outputs(),
             " outputs");
    }
    if (n.log_std < 0 || n.log_std + n.actor.outputs() > n.parameters) {
        fail("ppo: expected log_std within the ", n.parameters, " parameters, got it at ",
             n.log_std);
    }
    return n;
}

std::int64_t slices_of(std::int64_t rows) {
    return std::clamp<std::int64_t>((rows + kBlockRows - 1) / kBlockRows, 1, kSlices);
}

}  // namespace

PpoGradient::PpoGradient(const PpoNetworks& networks, int threads)
    : networks_(checked(networks)),
      threads_(std::min(threads, kSlices)),
      actor_panels_(networks.actor),
      critic_panels_(networks.critic),
      actor_layout_(networks.actor),
      critic_layout_(networks.critic),
      gradient_size_(actor_layout_.size() + networks.critic.groups * critic_layout_.size()),
      gradients_(kSlices * gradient_size_),
      sums_(static_cast<std::size_t>(kSlices * PpoSums::size(networks_))) {
    list_tasks(networks_.actor, actor_layout_, 0);
    list_tasks(networks_.critic, critic_layout_, actor_layout_.size());
    for (int i = 0; i < threads_; ++i) {
        workers_.emplace_back(networks_);
    }
}

PpoGradient::~PpoGradient() = default;

void PpoGradient::list_tasks(const Network& network, const GradientLayout& layout,
                             std::int64_t from) {
    for (std::int64_t g = 0; g < network.groups; ++g) {
        const std::int64_t source = from + g * layout.size();
        const std::int64_t target = g * network.group_stride;
        for (std::size_t i = 0; i < network.layers.size(); ++i) {
            const Layer& layer = network.layers[i];
            const bool turned = layout.transposed(i);
            const std::int64_t rows = turned ? layer.out : layer.in;
            const std::int64_t columns = turned ? layer.in : layer.out;
            for (std::int64_t r = 0; r < rows; ++r) {
                tasks_.push_back({source + layout.weights(i) + r * padded(columns), columns,
                                  target + layer.weights + (turned ? r : r * columns),
                                  turned ? layer.out : 1});
            }
            tasks_.push_back({source + layout.biases(i), layer.out, target + layer.biases, 1});
        }
    }
}

void PpoGradient::run(const float* flat, const PpoBatch& batch, const PpoSettings& settings,
                      float* message) {
    actor_panels_.pack(flat, true);
    critic_panels_.pack(flat, true);
    const PpoPolicy policy(networks_, flat, batch, settings);
    const std::int64_t slices = slices_of(batch.count);
    // Forward, and two products of the same size on the way back.
    const double cost = 3.0 * static_cast<double>(batch.count) *
                        (networks_.actor.nanoseconds() + networks_.critic.nanoseconds());
    parallel_for(slices, useful_threads(threads_, cost),
                 [&](std::int64_t begin, std::int64_t end, int chunk) {
                     const FloatMode mode;
                     PpoWorker& worker = workers_[static_cast<std::size_t>(chunk)];
                     for (std::int64_t s = begin; s < end; ++s) {
                         const std::int64_t first = batch.count * s / slices;
                         const std::int64_t last = batch.count * (s + 1) / slices;
                         float* gradient = gradients_.data() + s * gradient_size_;
                         PpoSums sums(networks_, sums_.data() + s * PpoSums::size(networks_));
                         std::fill_n(gradient, gradient_size_, 0.0F);
                         sums.clear();
                         for (std::int64_t row = first; row < last; row += kBlockRows) {
                             const std::int64_t count = std::min(kBlockRows, last - row);
                             worker.actor(policy, actor_panels_, actor_layout_, row, count,
                                          gradient, sums);
                             worker.critics(policy, critic_panels_, critic_layout_, row, count,
                                            gradient + actor_layout_.size(), sums);
                         }
                     }
                 });
    gather(slices, message);
    finish(slices, policy, message);
}

void PpoGradient::gather(std::int64_t slices, float* message) {
    const auto tasks = static_cast<std::int64_t>(tasks_.size());
    const double cost = kNanosecondsPerSum * static_cast<double>(slices * gradient_size_);
    parallel_for(tasks, useful_threads(threads_, cost),
                 [&](std::int64_t begin, std::int64_t end, int chunk) {
                     const FloatMode mode;
                     float* row = workers_[static_cast<std::size_t>(chunk)].row();
                     for (std::int64_t t = begin; t < end; ++t) {
                         const RowTask& task = tasks_[static_cast<std::size_t>(t)];
                         network_kernels().sum_parts(slices, padded(task.count), gradient_size_,
                                                     gradients_.data() + task.from, row);
                         for (std::int64_t i = 0; i < task.count; ++i) {
                             message[task.to + i * task.step] = row[i];
                         }
                     }
                 });
}

void PpoGradient::finish(std::int64_t slices, const PpoPolicy& policy, float* message) {
    PpoSums total(networks_, sums_.data());
    for (std::int64_t s = 1; s < slices; ++s) {
        total.add(PpoSums(networks_, sums_.data() + s * PpoSums::size(networks_)));
    }
    policy.finish(total, message + networks_.log_std, message + networks_.parameters);
}

}  // namespace embody
