#include "world/rollout.h"

#include <algorithm>
#include <numeric>

#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "nn/pass.h"
#include "world/rollout_block.h"

namespace embody {
namespace {

constexpr std::int64_t kRowsOfAMember = 2 * kBlockRows;  // of a block, on average

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t group_width(const RolloutProgram& program, std::int64_t group) {
    return group < 0 ? 0 : program.program->groups()[static_cast<std::size_t>(group)].width;
}

double nanoseconds(const Imagination& rollout) {
    const Network& members = rollout.ensemble->network();
    const double own = members.nanoseconds() /
                       (rollout.settings.alone() ? static_cast<double>(members.groups) : 1.0);
    const Filter& filter = rollout.settings.filter;
    const std::int64_t candidates =
        static_cast<std::int64_t>(rollout.ensemble->elites().size()) * filter.resamples;
    const double judges = filter.judges == nullptr ? 0.0 : filter.judges->nanoseconds(candidates);
    const double policy = rollout.actor == nullptr ? 0.0 : rollout.actor->network().nanoseconds();
    return (own + judges + policy) *
           static_cast<double>(rollout.arrays.rows * rollout.settings.steps);
}

// Rows of a block: as many blocks for every thread, each with enough rows for every elite.
std::int64_t block_rows(const Imagination& rollout, int threads) {
    const auto elites = static_cast<std::int64_t>(rollout.ensemble->elites().size());
    const std::int64_t share = ceil_div(rollout.arrays.rows, threads);
    return ceil_div(share, ceil_div(share, kRowsOfAMember * elites));
}

}  // namespace

std::int64_t Imagination::observation_width() const {
    return program.program == nullptr ? ensemble->state()
                                      : group_width(program, program.observations);
}

std::int64_t Imagination::critic_width() const { return group_width(program, program.critic); }

std::int64_t Imagination::channel_width() const { return group_width(program, program.channels); }

std::int64_t run_rollout(const Imagination& rollout, int threads) {
    const std::int64_t all = rollout.arrays.rows;
    const int useful = useful_threads(threads, nanoseconds(rollout));
    const std::int64_t rows = block_rows(rollout, useful);
    std::vector<std::int64_t> diverged(static_cast<std::size_t>(useful));
    parallel_for(ceil_div(all, rows), useful, [&](std::int64_t begin, std::int64_t end, int chunk) {
        const FloatMode mode;
        RolloutBlock block(rollout, rows);
        for (std::int64_t i = begin; i < end; ++i) {
            diverged[static_cast<std::size_t>(chunk)] +=
                block.run(i * rows, std::min(all, (i + 1) * rows));
        }
    });
    return std::accumulate(diverged.begin(), diverged.end(), std::int64_t{0});
}

}  // namespace embody
