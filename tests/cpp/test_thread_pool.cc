#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "base/thread_pool.h"
#include "check.h"

namespace embody {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kForkTested =
    false;  // the thread sanitizer does not support threads together with fork
#else
constexpr bool kForkTested = true;
#endif

TEST(every_item_is_worked_on_once_for_any_number_of_threads) {
    for (const int threads : {1, 2, 3, 8}) {
        for (const std::int64_t items : {0, 1, 2, 7, 1000}) {
            std::vector<int> seen(static_cast<std::size_t>(items));
            parallel_for(items, threads, [&](std::int64_t begin, std::int64_t end, int) {
                for (std::int64_t i = begin; i < end; ++i) {
                    ++seen[static_cast<std::size_t>(i)];
                }
            });
            CHECK(std::accumulate(seen.begin(), seen.end(), 0) == static_cast<int>(items));
        }
    }
}

TEST(an_exception_of_a_worker_reaches_the_caller_and_the_pool_goes_on) {
    for (int round = 0; round < 20; ++round) {
        CHECK_FAILS(parallel_for(4, 4,
                                 [](std::int64_t begin, std::int64_t, int) {
                                     if (begin == 3) {
                                         throw std::runtime_error("worker failed");
                                     }
                                 }),
                    "worker failed");
    }
    std::atomic<int> sum = 0;
    parallel_for(4, 4,
                 [&](std::int64_t begin, std::int64_t, int) { sum += static_cast<int>(begin); });
    CHECK(sum == 6);
}

TEST(callers_on_several_threads_share_the_pool) {
    std::atomic<int> sum = 0;
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c) {
        callers.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                parallel_for(8, 3, [&](std::int64_t begin, std::int64_t end, int) {
                    sum += static_cast<int>(end - begin);
                });
            }
        });
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    CHECK(sum == 4 * 200 * 8);
}

TEST(small_work_stays_on_the_calling_thread) {
    CHECK(useful_threads(8, 1e3) == 1);
    CHECK(useful_threads(8, 1e9) == 8);
    CHECK(useful_threads(0, 1e9) == 1);
}

TEST(the_pool_refuses_to_run_after_a_fork) {
    if (!kForkTested) {
        return;
    }
    parallel_for(2, 2, [](std::int64_t, std::int64_t, int) {});
    const pid_t child = fork();
    if (child == 0) {
        int code = 1;
        try {
            parallel_for(2, 2, [](std::int64_t, std::int64_t, int) {});
        } catch (const std::runtime_error&) {
            code = 0;
        }
        _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace embody
