#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "nn/adam.h"
#include "nn/inference.h"
#include "nn/ppo.h"

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

    std::vector<float> message(const std::vector<float>& parameters, int threads) const {
        PpoBatch batch{observations.data(), observations.data(),
                       actions.data(),      mean.data(),
                       log_probs.data(),    advantages.data(),
                       targets.data(),      log_std.data(),
                       index.data(),        kRows};
        std::vector<float> out(static_cast<std::size_t>(networks.parameters + 2 + kChannels));
        PpoGradient gradient(networks, threads);
        gradient.run(parameters.data(), batch, {0.2F, 0.0F, 1.0F}, out.data());
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
