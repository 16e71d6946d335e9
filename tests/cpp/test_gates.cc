#include <limits>
#include <random>
#include <vector>

#include "check.h"
#include "returns/credit.h"
#include "returns/gates.h"
#include "returns/groups.h"

namespace embody {
namespace {

GateRules cascade(std::size_t channels, GateScope scope, GatePlace place, bool cap) {
    GateRules rules;
    for (std::size_t c = 0; c < channels; ++c) {
        rules.level.push_back(static_cast<std::int32_t>(c % 3));
        rules.aggregate.push_back(static_cast<std::uint8_t>((c + 1) % 4));
        rules.threshold.push_back(0.2F);
        rules.strict.push_back(c % 2);
        rules.mask.push_back(0);
        rules.mean.push_back(c % 3 == 2);
        rules.cap.push_back(cap ? 1.5F : std::numeric_limits<float>::infinity());
        rules.waits.push_back(c % 5 == 4);
    }
    rules.scope = scope;
    rules.place = place;
    rules.pending = cap ? GatePending::open : GatePending::hold;
    return rules;
}

// Everything that two buffers of one random rollout write, gated alone and with advantages.
std::vector<float> run(std::int64_t n, const GateRules& rules, int threads) {
    constexpr std::int64_t kSteps = 7;
    const auto channels = static_cast<std::int64_t>(rules.level.size());
    const auto rows = static_cast<std::size_t>(kSteps * n);
    const auto cells = rows * rules.level.size();
    const auto own = static_cast<std::size_t>(n) * rules.level.size();
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> rewards(cells);
    for (float& r : rewards) {
        r = normal(random);
    }
    std::vector<std::uint8_t> ends(rows);
    std::vector<std::uint8_t> valid(rows);
    std::vector<std::uint8_t> conditions(cells, 1);
    for (std::size_t i = 0; i < rows; ++i) {
        ends[i] = random() % 4 == 0;
        valid[i] = random() % 9 != 0;
    }
    std::vector<double> measure(own), positive(own), held(own);
    std::vector<std::uint8_t> latch(own), gate(cells);
    std::vector<std::int32_t> length(static_cast<std::size_t>(n));
    const GateState state{measure.data(), positive.data(), held.data(), latch.data(),
                          length.data()};
    const GateInput input{
        kSteps, n, rewards.data(), ends.data(), ends.data(), valid.data(), conditions.data()};
    const std::vector<float> gamma(rules.level.size(), 0.9F);
    Rollout rollout{kSteps,         n,           channels,    rewards.data(),
                    rewards.data(), ends.data(), ends.data(), gamma.data()};
    rollout.valid = valid.data();
    std::vector<float> gated(cells), advantages(cells), returns(cells);
    gate_rewards(rules, state, input, gated.data(), gate.data(), threads);
    gated_returns(rules, state, input, rollout, rewards.data(), gamma.data(), advantages.data(),
                  returns.data(), threads);
    gated.insert(gated.end(), advantages.begin(), advantages.end());
    gated.insert(gated.end(), returns.begin(), returns.end());
    gated.insert(gated.end(), gate.begin(), gate.end());
    return gated;
}

TEST(gates_of_all_shapes_stay_inside_their_arrays) {
    for (const std::size_t channels : {1U, 2U, 5U, 17U, 1500U}) {
        for (const std::int64_t n : {1, 3, 9, 70}) {
            for (const GateScope scope : {GateScope::episode, GateScope::running}) {
                for (const GatePlace place : {GatePlace::steps, GatePlace::terminal}) {
                    CHECK(!run(n, cascade(channels, scope, place, n == 9), 1).empty());
                }
            }
        }
    }
}

TEST(threads_change_no_bit_of_gated_rewards) {
    for (const bool cap : {false, true}) {
        const GateRules rules = cascade(4, GateScope::episode, GatePlace::steps, cap);
        CHECK(run(3000, rules, 3) == run(3000, rules, 1));
    }
}

TEST(credit_and_groups_stay_inside_their_arrays) {
    const float rewards[] = {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F};
    const std::uint8_t ends[] = {0, 1, 0};
    const float gamma[] = {0.5F, 0.5F};
    Rollout rollout{3, 1, 2, rewards, rewards, ends, ends, gamma};
    float out[6];
    redistribute(rollout, Credit::uniform, nullptr, out, 1);
    CHECK(out[0] == 2.0F && out[2] == 2.0F && out[4] == 5.0F);
    segment_returns(rollout, ends, out, 1);
    CHECK(out[0] == 2.5F && out[4] == 5.0F);
    lambda_returns(rollout, gamma, out, 2);
    const double group[] = {1.0, 3.0};
    const float weight[] = {1.0F};
    double advantages[2];
    group_advantages({1, 2, 1, group, weight}, false, false, advantages);
    CHECK(advantages[0] == -1.0 && advantages[1] == 1.0);
    float before[] = {1.0F};
    float gained[3];
    turn_rewards({3, 1, 1, nullptr, nullptr, ends, ends}, rewards, rewards, before, gained);
    CHECK(gained[0] == 0.0F && gained[1] == 1.0F && gained[2] == 2.0F);
}

}  // namespace
}  // namespace embody
