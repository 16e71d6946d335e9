#include "returns/gates.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "returns/gate_blocks.h"

namespace embody {
namespace {

constexpr double kNanosecondsPerCell = 1.0;

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

// The order of episodes by the step they end at, of equal ones as they are: counted, not compared.
std::vector<std::size_t> by_step(const std::vector<std::int64_t>& step) {
    const auto last = std::max_element(step.begin(), step.end());
    std::vector<std::size_t> next(last == step.end() ? 2 : static_cast<std::size_t>(*last) + 2);
    for (const std::int64_t t : step) {
        ++next[static_cast<std::size_t>(t) + 1];
    }
    std::partial_sum(next.begin(), next.end(), next.begin());
    std::vector<std::size_t> order(step.size());
    for (std::size_t k = 0; k < step.size(); ++k) {
        order[next[static_cast<std::size_t>(step[k])]++] = k;
    }
    return order;
}

template <class T>
std::vector<T> picked(const std::vector<T>& from, const std::vector<std::size_t>& order,
                      std::size_t width) {
    std::vector<T> out;
    out.reserve(from.size());
    for (const std::size_t i : order) {
        out.insert(out.end(), from.begin() + static_cast<std::ptrdiff_t>(i * width),
                   from.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    }
    return out;
}

std::vector<double> summed(const std::vector<double>& rows, std::size_t width) {
    std::vector<double> out(rows.empty() ? 0 : width);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        out[i % width] += rows[i];
    }
    return out;
}

}  // namespace

// The episodes of all blocks as one list, in the order of (step, environment).
GateEpisodes joined(const std::vector<GateEpisodes>& parts, std::size_t channels) {
    GateEpisodes all;
    for (const GateEpisodes& part : parts) {
        append(all.environment, part.environment);
        append(all.step, part.step);
        append(all.length, part.length);
        append(all.measure, part.measure);
        append(all.lump, part.lump);
        append(all.open, part.open);
        append(all.withheld, part.withheld);
    }
    const std::vector<std::size_t> order = by_step(all.step);
    return {picked(all.environment, order, 1), picked(all.step, order, 1),
            picked(all.length, order, 1),      picked(all.measure, order, channels),
            picked(all.lump, order, channels), picked(all.open, order, channels),
            summed(all.withheld, channels)};
}

std::vector<std::uint8_t> GateRules::gated() const {
    std::int32_t highest = std::numeric_limits<std::int32_t>::max();
    for (std::size_t c = 0; c < level.size(); ++c) {
        if (static_cast<Aggregate>(aggregate[c]) != Aggregate::none) {
            highest = std::min(highest, level[c]);
        }
    }
    std::vector<std::uint8_t> out;
    for (std::size_t c = 0; c < level.size(); ++c) {
        out.push_back(level[c] > highest || waits[c] != 0 ? 1 : 0);
    }
    return out;
}

namespace {

struct RewardWalker {
    const GateRules& rules;
    const GateInput& input;
    float* gated;
    std::uint8_t* gate;
    GateBlock block;

    void run(std::int64_t first, std::int64_t rows, GateEpisodes& episodes) {
        const auto channels = static_cast<std::int64_t>(rules.level.size());
        const std::int64_t stride = input.environments * channels;
        const BlockRows<float> paid{gated + first * channels, stride};
        const BlockRows<std::uint8_t> open{gate + first * channels, stride};
        block.begin(first, rows, paid, open);
        block.forward(episodes);
        const bool running = rules.scope == GateScope::running;
        for (std::int64_t t = input.steps - 1; !running && t >= 0; --t) {
            block.back(t, episodes, paid.row(t), open.row(t));
        }
        block.finish(episodes);
    }
};

}  // namespace

GateEpisodes gate_rewards(const GateRules& rules, const GateState& state, const GateInput& input,
                          float* gated, std::uint8_t* gate, int threads) {
    return gate_blocks(rules, input, threads, kNanosecondsPerCell, [&](std::int64_t most) {
        return RewardWalker{rules, input, gated, gate, GateBlock(rules, state, input, most, true)};
    });
}

}  // namespace embody
