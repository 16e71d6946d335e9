#include "nn/ppo.h"

#include <algorithm>

#include "base/check.h"
#include "nn/ppo_worker.h"

namespace embody {
namespace {

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

}  // namespace

PpoGradient::PpoGradient(const PpoNetworks& networks, int threads)
    : networks_(checked(networks)),
      slices_({networks.actor, networks.critic}, threads),
      actor_panels_(networks.actor),
      critic_panels_(networks.critic),
      sums_(static_cast<std::size_t>(Slices::kMost * PpoSums::size(networks_))),
      inverse_(networks.actor.outputs()) {
    for (int i = 0; i < slices_.threads(); ++i) {
        workers_.emplace_back(networks_);
    }
}

PpoGradient::~PpoGradient() = default;

void PpoGradient::run(const float* flat, const PpoBatch& batch, const PpoSettings& settings,
                      float* message) {
    actor_panels_.pack(flat, Back::parameters);
    critic_panels_.pack(flat, Back::parameters);
    const PpoPolicy policy(networks_, flat, batch, settings, inverse_.data());
    // Forward, and two products of the same size on the way back.
    const double cost = 3.0 * static_cast<double>(batch.count) *
                        (networks_.actor.nanoseconds() + networks_.critic.nanoseconds());
    const std::int64_t slices = slices_.run(batch.count, cost, [&](const Slice& slice, int thread) {
        PpoWorker& worker = workers_[static_cast<std::size_t>(thread)];
        PpoSums sums(networks_, sums_.data() + slice.number * PpoSums::size(networks_));
        sums.clear();
        for (std::int64_t row = slice.first; row < slice.last; row += kBlockRows) {
            const std::int64_t count = std::min(kBlockRows, slice.last - row);
            worker.actor(policy, actor_panels_, slices_.layout(0), row, count, slice.gradient,
                         sums);
            worker.critics(policy, critic_panels_, slices_.layout(1), row, count,
                           slice.gradient + slices_.start(1, 0), sums);
        }
    });
    slices_.gather(slices, message);
    finish(slices, policy, message);
}

void PpoGradient::finish(std::int64_t slices, const PpoPolicy& policy, float* message) {
    PpoSums total(networks_, sums_.data());
    for (std::int64_t s = 1; s < slices; ++s) {
        total.add(PpoSums(networks_, sums_.data() + s * PpoSums::size(networks_)));
    }
    policy.finish(total, message + networks_.log_std, message + networks_.parameters);
}

}  // namespace embody
