#include <random>
#include <vector>

#include "check.h"
#include "returns/advantages.h"
#include "returns/gae.h"

namespace embody {
namespace {

// Everything that the returns and advantages write for one random rollout.
std::vector<float> run(std::int64_t steps, std::int64_t n, std::int64_t channels, int threads) {
    const auto rows = static_cast<std::size_t>(steps * n);
    const auto cells = rows * static_cast<std::size_t>(channels);
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<float> rewards(cells);
    std::vector<float> values(cells);
    std::vector<float> next_values(cells);
    for (std::size_t i = 0; i < cells; ++i) {
        rewards[i] = normal(random);
        values[i] = normal(random);
        next_values[i] = normal(random);
    }
    std::vector<std::uint8_t> terminated(rows);
    std::vector<std::uint8_t> truncated(rows);
    for (std::size_t i = 0; i < rows; ++i) {
        terminated[i] = random() % 10 == 0 ? 1 : 0;
        truncated[i] = random() % 10 == 0 ? 1 : 0;
    }
    const std::vector<float> gamma(static_cast<std::size_t>(channels), 0.99F);
    const Rollout rollout{steps,
                          n,
                          channels,
                          rewards.data(),
                          next_values.data(),
                          terminated.data(),
                          truncated.data(),
                          gamma.data()};
    std::vector<float> advantages(cells);
    std::vector<float> returns(cells);
    gae(rollout, values.data(), gamma.data(), advantages.data(), returns.data(), threads);
    discounted_returns(rollout, rewards.data(), threads);
    std::vector<double> running(static_cast<std::size_t>(channels), 1.0);
    std::vector<ChannelMoments> moments(running.size());
    normalise_advantages(advantages.data(), steps * n, channels, gamma.data(), running.data(), true,
                         moments.data(), threads);
    std::vector<float> combined(rows);
    combine(advantages.data(), steps * n, channels, gamma.data(), true, combined.data(), threads);
    for (const auto* part : {&advantages, &returns, &rewards}) {
        combined.insert(combined.end(), part->begin(), part->end());
    }
    return combined;
}

TEST(rollouts_of_all_shapes_stay_inside_their_arrays) {
    for (const std::int64_t channels : {1, 2, 3, 5, 17, 3000}) {
        for (const std::int64_t n : {1, 3, 64, 130}) {
            CHECK(!run(3, n, channels, 1).empty());
        }
    }
}

TEST(threads_change_no_bit_of_a_rollout) {
    const std::vector<float> one = run(40, 2000, 4, 1);
    CHECK(run(40, 2000, 4, 2) == one);
    CHECK(run(40, 2000, 4, 7) == one);
}

TEST(a_termination_ends_bootstrap_and_trace) {
    const float rewards[] = {1.0F, 1.0F};
    const float next_values[] = {100.0F, 4.0F};
    const float values[] = {3.0F, 5.0F};
    const std::uint8_t terminated[] = {1, 0};
    const std::uint8_t truncated[] = {1, 0};
    const float half[] = {0.5F};
    const Rollout rollout{2, 1, 1, rewards, next_values, terminated, truncated, half};
    float advantages[2];
    float returns[2];
    gae(rollout, values, half, advantages, returns, 1);
    CHECK(advantages[0] == -2.0F && advantages[1] == -2.0F);
    CHECK(returns[0] == 1.0F && returns[1] == 3.0F);
}

}  // namespace
}  // namespace embody
