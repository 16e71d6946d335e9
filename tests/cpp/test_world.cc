#include <cmath>
#include <random>
#include <vector>

#include "check.h"
#include "world/kernels.h"
#include "world/rollout.h"

namespace embody {
namespace {

constexpr std::int64_t kState = 5;
constexpr std::int64_t kAction = 2;
constexpr std::int64_t kMembers = 3;
constexpr std::int64_t kRows = 900;
constexpr std::int64_t kSteps = 4;

std::vector<float> draw(std::int64_t count, float scale, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& x : out) {
        x = normal(random);
    }
    return out;
}

Network network(std::int64_t groups, std::int64_t inputs, std::int64_t hidden,
                std::int64_t outputs) {
    Network n;
    n.groups = groups;
    n.activation = Activation::silu;
    const std::int64_t second = (inputs + 1) * hidden;
    n.layers.push_back({inputs, hidden, 0, inputs * hidden});
    n.layers.push_back({hidden, outputs, second, second + hidden * outputs});
    n.group_stride = second + (hidden + 1) * outputs;
    return n;
}

// Rows whose first component is below 0 are acted on from the other side.
ActorMirror mirror() {
    ActorMirror out;
    out.clock = 0;
    for (std::int64_t i = 0; i < kState; ++i) {
        out.observation_index.push_back(kState - 1 - i);
        out.observation_sign.push_back(i % 2 == 0 ? 1.0F : -1.0F);
    }
    out.action_index = {1, 0};
    out.action_sign = {-1.0F, -1.0F};
    return out;
}

// A model with a policy that sees the state, and what a rollout of it wrote.
struct Imagined {
    std::vector<float> next_states;
    std::vector<float> penalty;
    std::int64_t diverged = 0;

    Imagined(std::int64_t first, std::int64_t rows, int threads, Penalty kind,
             Precision precision = Precision::float32) {
        const Network members = network(kMembers, kState + kAction, 41, 2 * kState);
        const Network policy = network(1, kState, 17, kAction);
        const std::vector<float> flat = draw(kMembers * members.group_stride, 0.3F, 1);
        const std::vector<float> policy_flat = draw(policy.group_stride, 0.3F, 2);
        const std::vector<float> zeros(kState + kAction, 0.0F);
        const std::vector<float> ones(kState + kAction, 1.0F);
        const std::vector<float> low(kState, -4.0F);
        Imagination rollout;
        rollout.ensemble = std::make_shared<const Ensemble>(
            members, StateColumns{kState, {0}, {4}},
            EnsembleArrays{
                flat.data(), zeros.data(), ones.data(), low.data(), ones.data(), {0, 2}});
        rollout.actor = std::make_shared<const Actor>(
            policy, ActorArrays{policy_flat.data(), zeros.data(), ones.data(), 5.0F, {0.1F, 0.2F}},
            kAction, 0.0F, mirror());
        rollout.settings = {7, kSteps, Propagation::sampled, kind, true, {}, precision};
        const std::vector<float> states = draw(kRows * kState, 1.0F, 3);
        const std::vector<float> before(static_cast<std::size_t>(rows * kAction), 0.0F);
        const std::vector<float> carried = draw((kSteps + 1) * rows, 1.0F, 4);
        std::vector<std::uint32_t> ids;
        for (std::int64_t row = first; row < first + rows; ++row) {
            ids.push_back(static_cast<std::uint32_t>(row));
        }
        next_states.resize(static_cast<std::size_t>(kSteps * rows * kState));
        penalty.resize(static_cast<std::size_t>(kSteps * rows));
        rollout.arrays.rows = rows;
        rollout.arrays.states = states.data() + first * kState;
        rollout.arrays.carried = 1;
        rollout.arrays.carried_steps = kSteps + 1;
        rollout.arrays.carried_rows = carried.data();
        rollout.arrays.before = before.data();
        rollout.arrays.ids = ids.data();
        rollout.arrays.next_states = next_states.data();
        rollout.arrays.penalty = penalty.data();
        diverged = run_rollout(rollout, threads);
    }
};

TEST(random_words_are_the_published_ones) {
    const auto zero = philox({0, 0, 0, 0}, PhiloxKey(0));
    CHECK(zero[0] == 0x6627E8D5U && zero[3] == 0x9B00DBD8U);
    const auto digits = philox({0x243F6A88U, 0x85A308D3U, 0x13198A2EU, 0x03707344U},
                               PhiloxKey(0x299F31D0A4093822U));
    CHECK(digits[0] == 0xD16CFE09U && digits[3] == 0x24126EA1U);
}

TEST(normal_numbers_are_box_and_mullers) {
    const std::vector<std::uint32_t> ids = {3, 1, 4000000000U};
    std::vector<float> out(3 * drawn_columns(21));
    world_kernels().normals({PhiloxKey(5), Stream::action, 9, ids.data(), 3, 21, out.data()});
    for (std::size_t r = 0; r < 3; ++r) {
        for (std::uint32_t j = 0; j < 6; ++j) {
            const auto words = philox({ids[r], 9, 2, j}, PhiloxKey(5));
            for (std::size_t pair = 0; pair < 2; ++pair) {
                const double u = ((words[2 * pair] >> 9) + 0.5) * 0x1p-23;
                const double turn =
                    2.0 * std::acos(-1.0) * (((words[2 * pair + 1] >> 9) + 0.5) * 0x1p-23 - 0.5);
                const double radius = std::sqrt(-2.0 * std::log(u));
                const std::size_t at = r * 24 + j * 4 + 2 * pair;
                CHECK(std::abs(static_cast<double>(out[at]) - radius * std::cos(turn)) < 2e-6);
                CHECK(std::abs(static_cast<double>(out[at + 1]) - radius * std::sin(turn)) < 2e-6);
            }
        }
    }
}

TEST(threads_change_no_bit_of_a_rollout) {
    for (const Penalty kind : {Penalty::none, Penalty::aleatoric, Penalty::disagreement}) {
        const Imagined one(0, kRows, 1, kind);
        const Imagined two(0, kRows, 2, kind);
        const Imagined seven(0, kRows, 7, kind);
        CHECK(one.next_states == two.next_states && one.next_states == seven.next_states);
        CHECK(one.penalty == two.penalty && one.diverged == 0);
        CHECK((one.penalty.front() > 0.0F) == (kind != Penalty::none));
    }
}

TEST(threads_change_no_bit_of_a_rollout_in_bfloat16) {
    const Imagined exact(0, kRows, 1, Penalty::none);
    const Imagined one(0, kRows, 1, Penalty::none, Precision::bfloat16);
    const Imagined three(0, kRows, 3, Penalty::none, Precision::bfloat16);
    CHECK(one.next_states == three.next_states);
    CHECK(one.next_states != exact.next_states);
    const Imagined part(500, 31, 1, Penalty::none, Precision::bfloat16);
    CHECK(std::equal(part.next_states.begin(), part.next_states.begin() + 31 * kState,
                     one.next_states.begin() + 500 * kState));
}

TEST(a_part_of_the_rows_gives_the_same_bits) {
    const Imagined whole(0, kRows, 2, Penalty::none);
    const Imagined part(500, 31, 1, Penalty::none);
    for (std::size_t t = 0; t < kSteps; ++t) {
        for (std::size_t i = 0; i < 31 * kState; ++i) {
            CHECK(part.next_states[t * 31 * kState + i] ==
                  whole.next_states[(t * kRows + 500) * kState + i]);
        }
    }
}

}  // namespace
}  // namespace embody
