// One pool of threads for the whole core, made when first needed and never after a fork.
#pragma once

#include <cstdint>
#include <type_traits>

namespace embody {

inline constexpr std::int64_t kBlock = 64;  // rows that are worked on together

// A contiguous range of work items, [begin, end).
using ChunkFn = void (*)(void* context, std::int64_t begin, std::int64_t end, int chunk);

// Runs fn over `items` cut into `threads` static chunks, chunk 0 on the calling thread. Which
// thread runs a chunk is of no consequence to the result: a chunk is the same range whether or not
// the pool is free. An exception thrown by fn is rethrown here. Throws std::runtime_error when the
// process was forked after the pool was made.
void run_chunks(std::int64_t items, int threads, ChunkFn fn, void* context);

// As above for a callable (begin, end, chunk).
template <class F>
void parallel_for(std::int64_t items, int threads, F&& body) {
    using Body = std::remove_reference_t<F>;
    run_chunks(
        items, threads,
        [](void* context, std::int64_t begin, std::int64_t end, int chunk) {
            (*static_cast<Body*>(context))(begin, end, chunk);
        },
        &body);
}

// Threads worth using for work that takes about `nanoseconds` serially: 1 when waking a thread
// would cost more than it saves.
int useful_threads(int threads, double nanoseconds);

// The process that is running; a fork changes it.
std::int64_t process_id();

}  // namespace embody
