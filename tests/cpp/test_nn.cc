#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "allocations.h"
#include "base/thread_pool.h"
#include "check.h"
#include "nn/adam.h"
#include "nn/inference.h"
#include "nn/ppo.h"
#include "nn/regression.h"
#include "nn/sac.h"
#include "nn/slices.h"

namespace embody {
namespace {

constexpr std::int64_t kRows = 700;
constexpr std::int64_t kInputs = 21;
constexpr std::int64_t kActions = 5;
constexpr std::int64_t kChannels = 3;

// Layers one after the other from `first` on, widths such that no tile is full.
Network network(std::int64_t groups, std::int64_t outputs, std::int64_t first, Activation kind) {
    Network n;
    n.groups = groups;
    n.activation = kind;
    const std::vector<std::int64_t> widths = {kInputs, 37, 19, outputs};
    std::int64_t at = first;
    for (std::size_t i = 1; i < widths.size(); ++i) {
        n.layers.push_back({widths[i - 1], widths[i], at, at + widths[i - 1] * widths[i]});
        at += (widths[i - 1] + 1) * widths[i];
    }
    n.group_stride = at - first;
    return n;
}

// Networks, parameters and one minibatch drawn from a fixed seed.
struct Problem {
    explicit Problem(Activation kind) {
        networks.actor = network(1, kActions, 0, kind);
        networks.log_std = networks.actor.group_stride;
        networks.critic = network(kChannels, 1, networks.log_std + kActions, kind);
        networks.parameters =
            networks.log_std + kActions + kChannels * networks.critic.group_stride;
        flat = draw(networks.parameters, 0.3F);
        observations = draw(kRows * kInputs, 1.0F);
        actions = draw(kRows * kActions, 1.0F);
        mean = draw(kRows * kActions, 0.3F);
        log_probs = draw(kRows, 0.1F);
        for (float& x : log_probs) {
            x -= 6.0F;
        }
        advantages = draw(kRows, 1.0F);
        targets = draw(kRows * kChannels, 1.0F);
        log_std.assign(kActions, 0.0F);
        for (std::int64_t i = 0; i < kRows; ++i) {
            index.push_back((i * 13) % kRows);
        }
    }

    std::vector<float> draw(std::int64_t count, float scale) {
        std::normal_distribution<float> normal(0.0F, scale);
        std::vector<float> out(static_cast<std::size_t>(count));
        for (float& x : out) {
            x = normal(random);
        }
        return out;
    }

    void run(PpoGradient& gradient, const std::vector<float>& parameters, float* message) const {
        const PpoBatch batch{observations.data(), observations.data(),
                             actions.data(),      mean.data(),
                             log_probs.data(),    advantages.data(),
                             targets.data(),      log_std.data(),
                             index.data(),        kRows};
        gradient.run(parameters.data(), batch, {0.2F, 20.0F, 0.0F, 1.0F}, message);
    }

    std::vector<float> message(const std::vector<float>& parameters, int threads) const {
        std::vector<float> out(static_cast<std::size_t>(networks.parameters + 2 + kChannels));
        PpoGradient gradient(networks, threads);
        run(gradient, parameters, out.data());
        return out;
    }

    // The loss whose gradient the message holds.
    double loss(const std::vector<float>& parameters) const {
        const std::vector<float> m = message(parameters, 1);
        double sum = 0.0;
        for (std::size_t i = m.size() - 1 - kChannels; i < m.size(); ++i) {
            sum += static_cast<double>(m[i]);
        }
        return sum;
    }

    std::mt19937 random{11};
    PpoNetworks networks;
    std::vector<float> flat, observations, actions, mean, log_probs, advantages, targets, log_std;
    std::vector<std::int64_t> index;
};

TEST(threads_change_no_bit_of_a_gradient) {
    const Problem problem(Activation::elu);
    const std::vector<float> one = problem.message(problem.flat, 1);
    CHECK(problem.message(problem.flat, 2) == one);
    CHECK(problem.message(problem.flat, 7) == one);
}

TEST(the_gradient_is_the_slope_of_the_loss) {
    for (const Activation kind :
         {Activation::tanh, Activation::relu, Activation::elu, Activation::silu}) {
        const Problem problem(kind);
        const std::vector<float> gradient = problem.message(problem.flat, 2);
        double norm = 0.0;
        for (std::size_t i = 0; i < problem.flat.size(); ++i) {
            norm += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
        }
        norm = std::sqrt(norm);
        std::vector<float> ahead = problem.flat;
        std::vector<float> behind = problem.flat;
        constexpr double kStep = 2e-3;
        for (std::size_t i = 0; i < problem.flat.size(); ++i) {
            const auto move = static_cast<float>(kStep / norm * static_cast<double>(gradient[i]));
            ahead[i] += move;
            behind[i] -= move;
        }
        const double slope = (problem.loss(ahead) - problem.loss(behind)) / (2.0 * kStep);
        CHECK(std::abs(slope - norm) < 0.02 * norm);
    }
}

// A network of `inputs` with a layer norm in its one hidden layer, wide enough for several threads.
Network normed(std::int64_t groups, std::int64_t inputs, std::int64_t outputs) {
    constexpr std::int64_t kHidden = 128;
    Network n;
    n.groups = groups;
    n.activation = Activation::relu;
    const std::int64_t biases = inputs * kHidden;
    const std::int64_t second = biases + 3 * kHidden;
    n.layers.push_back({inputs, kHidden, 0, biases, biases + kHidden, biases + 2 * kHidden});
    n.layers.push_back({kHidden, outputs, second, second + kHidden * outputs});
    n.group_stride = second + (kHidden + 1) * outputs;
    return n;
}

// Whether this much work is shared out at all: a test of threads that never wake proves nothing.
bool is_shared(double nanoseconds) { return useful_threads(7, nanoseconds) >= 2; }

struct RegressionProblem {
    explicit RegressionProblem(Loss loss) {
        shape.loss = loss;
        shape.network = normed(kChannels, kInputs, 4);
        shape.bounds = kChannels * shape.network.group_stride;
        shape.parameters = shape.bounds + 4;
        flat = rows.draw(shape.parameters, 0.3F);
        targets = rows.draw(kRows * 4, 1.0F);
    }

    void run(RegressionGradient& gradient, float* message) const {
        const RegressionBatch batch{rows.observations.data(), targets.data(), 1,
                                    rows.index.data(),        false,          kRows};
        gradient.run(flat.data(), batch, {0.5F, 0.01F}, message);
    }

    std::vector<float> message(int threads) const {
        std::vector<float> out(static_cast<std::size_t>(shape.parameters + kChannels));
        RegressionGradient gradient(shape, threads);
        run(gradient, out.data());
        return out;
    }

    Problem rows{Activation::elu};
    RegressionShape shape;
    std::vector<float> flat, targets;
};

TEST(threads_change_no_bit_of_a_regression) {
    for (const Loss loss : {Loss::squared, Loss::huber, Loss::gaussian}) {
        const RegressionProblem problem(loss);
        CHECK(is_shared(3.0 * kRows * problem.shape.network.nanoseconds()));
        const std::vector<float> one = problem.message(1);
        CHECK(problem.message(2) == one && problem.message(7) == one);
        CHECK(one.back() != 0.0F);
    }
}

struct SacProblem {
    SacProblem() {
        n.actor = normed(1, kInputs, 2 * kActions);
        n.critic = normed(2 * kChannels, kInputs + kActions, 1);
        n.channels = kChannels;
        n.actor_parameters = n.actor.group_stride;
        n.critic_parameters = 2 * kChannels * n.critic.group_stride;
        actor = rows.draw(n.actor_parameters, 0.3F);
        critic = rows.draw(n.critic_parameters, 0.3F);
    }

    void run(SacGradient& gradient, float* message, float* targets) const {
        const SacRows given{rows.observations.data(), rows.observations.data(), rows.actions.data(),
                            kRows};
        gradient.actor(actor.data(), critic.data(), given, weights.data(), 0.2F, message);
        gradient.targets(actor.data(), critic.data(), given, rows.targets.data(),
                         rows.targets.data(), targets);
    }

    std::int64_t message_size() const { return n.actor_parameters + 2 + kChannels; }

    // The message, then the targets.
    std::vector<float> both(int threads) const {
        std::vector<float> out(static_cast<std::size_t>(message_size() + kRows * kChannels));
        SacGradient gradient(n, threads);
        run(gradient, out.data(), out.data() + message_size());
        return out;
    }

    Problem rows{Activation::elu};
    SacNetworks n;
    std::vector<float> actor, critic;
    std::vector<float> weights = {1.0F, 0.5F, -0.5F};
};

TEST(threads_change_no_bit_of_soft_actor_critic) {
    const SacProblem problem;
    const SacNetworks& n = problem.n;
    CHECK(is_shared(kRows * (3.0 * n.actor.nanoseconds() + 2.0 * n.critic.nanoseconds())));
    CHECK(is_shared(kRows * (n.actor.nanoseconds() + n.critic.nanoseconds())));
    const std::vector<float> one = problem.both(1);
    CHECK(problem.both(2) == one && problem.both(7) == one);
    CHECK(one.front() != 0.0F && one.back() != 0.0F);
}

// Slice s of a gradient of `wide` holds 2^-s everywhere.
std::vector<float> halves(const Network& wide, int threads) {
    Slices slices({wide}, threads);
    std::vector<float> sum(static_cast<std::size_t>(wide.group_stride));
    const std::int64_t count = slices.run(kRows, 0.0, [&](const Slice& slice, int) {
        std::fill_n(slice.gradient, slices.layout(0).size(),
                    std::ldexp(1.0F, static_cast<int>(-slice.number)));
    });
    slices.gather(count, sum.data());
    CHECK(count == Slices::kMost);
    return sum;
}

TEST(threads_change_no_bit_of_a_sum_over_slices) {
    Network wide;
    wide.layers.push_back({500, 700, 0, 500 * 700});  // enough to be shared out
    wide.group_stride = 501 * 700;
    const std::vector<float> one = halves(wide, 1);
    CHECK(one.front() == 1.9921875F && one.back() == 1.9921875F);  // 1 + 1/2 + ... + 1/128
    CHECK(halves(wide, 2) == one && halves(wide, 7) == one);
}

// Allocations of the second of two calls: threads start with the first.
template <class F>
std::int64_t allocations_again(F&& call) {
    call();
    const std::int64_t before = testing::allocations();
    call();
    return testing::allocations() - before;
}

TEST(a_gradient_allocates_nothing_after_its_first_run) {
    for (const int threads : {1, 3}) {
        const Problem problem(Activation::elu);
        PpoGradient ppo(problem.networks, threads);
        std::vector<float> message = problem.message(problem.flat, 1);
        CHECK(allocations_again([&] { problem.run(ppo, problem.flat, message.data()); }) == 0);

        const RegressionProblem fit(Loss::gaussian);
        RegressionGradient regression(fit.shape, threads);
        message = fit.message(1);
        CHECK(allocations_again([&] { fit.run(regression, message.data()); }) == 0);

        const SacProblem soft;
        SacGradient sac(soft.n, threads);
        message = soft.both(1);
        float* targets = message.data() + soft.message_size();
        CHECK(allocations_again([&] { soft.run(sac, message.data(), targets); }) == 0);
    }
    CHECK(testing::allocations() > 0);
}

TEST(rows_alone_give_what_they_give_together) {
    Problem problem(Activation::tanh);
    Inference inference(problem.networks.critic, problem.networks.parameters, 3);
    inference.load(problem.flat.data());
    std::vector<float> together(kRows * kChannels);
    inference.forward(problem.observations.data(), kRows, together.data());
    std::vector<float> alone(kChannels);
    for (const std::int64_t row : {std::int64_t{0}, kRows / 2, kRows - 1}) {
        inference.forward(problem.observations.data() + row * kInputs, 1, alone.data());
        for (std::int64_t c = 0; c < kChannels; ++c) {
            CHECK(alone[static_cast<std::size_t>(c)] ==
                  together[static_cast<std::size_t>(row * kChannels + c)]);
        }
    }
}

TEST(clipping_spreads_a_nan_over_its_own_row_only) {
    std::vector<float> x = {3.0F, 4.0F, std::numeric_limits<float>::quiet_NaN(), 1.0F};
    std::vector<float> norms(2);
    clip_rows(x.data(), 2, 2, 1.0F, norms.data());
    CHECK(norms[0] == 5.0F && std::isnan(norms[1]));
    CHECK(std::abs(x[0] - 0.6F) < 1e-6F && std::isnan(x[3]));
}

TEST(an_illegal_network_is_named) {
    Network bad = network(1, 2, 0, Activation::relu);
    bad.layers[1].in = 3;
    CHECK_FAILS(check_network(bad, 100000), "layer 1: expected 37 inputs, got 3");
    CHECK_FAILS(activation_named("rely"), "did you mean 'relu'");
}

}  // namespace
}  // namespace embody
