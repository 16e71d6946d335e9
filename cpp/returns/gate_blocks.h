// Blocks of environments that go through the gates one after the other, on any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/float_mode.h"
#include "returns/gate_block.h"
#include "returns/rollout_threads.h"

namespace embody {

inline constexpr std::int64_t kGateCells = 1024;  // of one block: its state stays in the cache

// The episodes of all blocks as one list, in the order of (step, environment).
GateEpisodes joined(const std::vector<GateEpisodes>& parts, std::size_t channels);

// Makes a walker for blocks of so many environments on every thread, and calls its
// run(first environment, environments, episodes) for every block.
template <class Make>
GateEpisodes gate_blocks(const GateRules& rules, const GateInput& input, int threads,
                         double nanoseconds_per_cell, Make&& make) {
    const auto channels = static_cast<std::int64_t>(rules.level.size());
    const std::int64_t n = input.environments;
    const std::int64_t rows = std::clamp<std::int64_t>(kGateCells / channels, 1, n);
    const std::int64_t blocks = (n + rows - 1) / rows;
    const int useful = rollout_threads(threads, input.steps * n * channels, nanoseconds_per_cell);
    std::vector<GateEpisodes> parts(static_cast<std::size_t>(useful));
    parallel_for(blocks, useful, [&](std::int64_t begin, std::int64_t end, int chunk) {
        const FloatMode mode;
        auto walker = make(rows);
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t first = i * rows;
            walker.run(first, std::min(rows, n - first), parts[static_cast<std::size_t>(chunk)]);
        }
    });
    return joined(parts, static_cast<std::size_t>(channels));
}

}  // namespace embody
