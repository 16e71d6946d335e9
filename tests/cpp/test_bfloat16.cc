#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.h"
#include "nn/bfloat16_kernels.h"
#include "nn/forward.h"

namespace embody {
namespace {

constexpr std::int64_t kInputs = 21;

std::vector<float> draw(std::mt19937& random, std::int64_t count, float scale) {
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& x : out) {
        x = normal(random);
    }
    return out;
}

// Three networks with a hidden layer, widths such that no tile is full.
Network critics(Activation kind) {
    constexpr std::int64_t kHidden = 37;
    constexpr std::int64_t kLast = (kInputs + 1) * kHidden;
    Network n;
    n.groups = 3;
    n.activation = kind;
    n.layers.push_back({kInputs, kHidden, 0, kInputs * kHidden});
    n.layers.push_back({kHidden, 1, kLast, kLast + kHidden});
    n.group_stride = kLast + kHidden + 1;
    return n;
}

float widened(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }

TEST(bfloat16_numbers_are_the_nearest) {
    const float half = 0x1p-8F;  // of the distance to the number after 1
    CHECK(widened(bfloat16_bits(1.0F + half)) == 1.0F);
    CHECK(widened(bfloat16_bits(1.0F + 3.0F * half)) == 1.0F + 4.0F * half);
    CHECK(widened(bfloat16_bits(-1.0F - half - 0x1p-23F)) == -1.0F - 2.0F * half);
    CHECK(std::isinf(widened(bfloat16_bits(std::numeric_limits<float>::max()))));
    CHECK(std::isnan(widened(bfloat16_bits(std::numeric_limits<float>::quiet_NaN()))));
    CHECK(bfloat16_bits(-1e-40F) == 0x8000U);
    CHECK(bfloat16_pair(1.0F, 2.0F) == 0x40003F80U);
}

// The levels' kernels give what this loop gives, bit for bit.
TEST(a_bfloat16_product_adds_the_second_of_a_pair_first) {
    constexpr std::int64_t kPairs = 23;
    constexpr std::int64_t kColumns = 80;  // no whole number of panels
    constexpr std::int64_t kMany = 29;     // rows: no whole number of tiles
    std::mt19937 random(11);
    const std::vector<float> a = draw(random, kMany * 2 * kPairs, 1.0F);
    const std::vector<float> b = draw(random, 2 * kPairs * kColumns, 1.0F);
    const std::vector<float> start = draw(random, kColumns, 1.0F);
    Network n;
    n.layers.push_back({2 * kPairs, kColumns, 0, 2 * kPairs * kColumns});
    std::vector<float> flat = b;
    flat.insert(flat.end(), start.begin(), start.end());
    const Bfloat16Panels panels(n, flat.data());
    Bfloat16Pass pass(n);
    Buffer padded_a(kMany * row_stride(2 * kPairs));
    for (std::int64_t r = 0; r < kMany; ++r) {
        std::copy_n(a.data() + r * 2 * kPairs, 2 * kPairs,
                    padded_a.data() + r * row_stride(2 * kPairs));
    }
    const Rows got = pass.forward(panels, 0, kMany, {padded_a.data(), row_stride(2 * kPairs)});
    for (std::int64_t r = 0; r < kMany; ++r) {
        for (std::int64_t c = 0; c < kColumns; ++c) {
            float sum = start[static_cast<std::size_t>(c)];
            for (std::int64_t k = 0; k < kPairs; ++k) {
                for (const std::int64_t i : {2 * k + 1, 2 * k}) {
                    const float x = a[static_cast<std::size_t>(r * 2 * kPairs + i)];
                    const float w = b[static_cast<std::size_t>(i * kColumns + c)];
                    sum += widened(bfloat16_bits(x)) * widened(bfloat16_bits(w));
                }
            }
            CHECK(got.data[r * got.stride + c] == sum);
        }
    }
}

TEST(a_bfloat16_pass_is_near_the_float32_one) {
    for (const Activation kind :
         {Activation::tanh, Activation::relu, Activation::elu, Activation::silu}) {
        std::mt19937 random(11);
        const Network n = critics(kind);
        const std::vector<float> flat = draw(random, n.groups * n.group_stride, 0.3F);
        const std::vector<float> observations = draw(random, kBlockRows * kInputs, 1.0F);
        const ForwardPanels panels(n, flat.data());
        Forward exact(n, Precision::float32);
        Forward near(n, Precision::bfloat16);
        Buffer inputs(kBlockRows * row_stride(kInputs));
        for (std::int64_t r = 0; r < kBlockRows; ++r) {
            std::copy_n(observations.data() + r * kInputs, kInputs,
                        inputs.data() + r * row_stride(kInputs));
        }
        const Rows from = {inputs.data(), row_stride(kInputs)};
        for (std::int64_t g = 0; g < n.groups; ++g) {
            const Rows a = exact.run(panels, g, kBlockRows, from);
            const Rows b = near.run(panels, g, kBlockRows, from);
            float apart = 0.0F;
            for (std::int64_t r = 0; r < kBlockRows; ++r) {
                apart = std::max(apart, std::abs(a.data[r * a.stride] - b.data[r * b.stride]));
            }
            CHECK(apart > 0.0F && apart < 0.05F);
        }
    }
}

TEST(a_layer_norm_has_no_bfloat16_pass) {
    Network n;
    n.layers.push_back({3, 8, 0, 24, 32, 40});
    n.layers.push_back({8, 1, 48, 56});
    CHECK_FAILS(Bfloat16Pass{n}, "without layer norms");
}

}  // namespace
}  // namespace embody
