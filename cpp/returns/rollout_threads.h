// How many threads a walk over a rollout is worth.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"

namespace embody {

// Two threads share the caches and the memory: they walk 1.6 times as fast as one, and the second
// wakes for 80 us. So they only pay from some 300 us of one thread's work on.
inline int rollout_threads(int threads, std::int64_t cells, double nanoseconds_per_cell) {
    constexpr double kShared = 3.0;
    return useful_threads(threads, nanoseconds_per_cell * static_cast<double>(cells) / kShared);
}

}  // namespace embody
