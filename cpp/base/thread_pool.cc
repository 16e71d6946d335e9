#include "base/thread_pool.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace embody {
namespace {

struct Job {
    ChunkFn fn = nullptr;
    void* context = nullptr;
    std::int64_t items = 0;
    int chunks = 0;

    void run(int chunk) const {
        const std::int64_t begin = items * chunk / chunks;
        const std::int64_t end = items * (chunk + 1) / chunks;
        if (begin < end) {
            fn(context, begin, end, chunk);
        }
    }
};

// Workers are detached and the pool is never destroyed: nothing has to be joined when the
// interpreter or a forked child ends.
class Pool {
  public:
    // False when another caller is using the pool; the caller then does the whole job itself.
    bool try_run(const Job& job) {
        if (process_id() != owner_) {
            throw std::runtime_error(
                "thread pool: used after fork, expected the process that made it; start workers "
                "with 'spawn'");
        }
        const std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
        if (!turn.owns_lock()) {
            return false;
        }
        start(job);
        std::exception_ptr own;
        try {
            job.run(0);
        } catch (...) {
            own = std::current_exception();
        }
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, [this] { return left_ == 0; });
        const std::exception_ptr first = own ? own : error_;
        if (first) {
            std::rethrow_exception(first);
        }
        return true;
    }

  private:
    void start(const Job& job) {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (; workers_ < job.chunks - 1; ++workers_) {
            std::thread(&Pool::work, this, workers_ + 1, generation_).detach();
        }
        job_ = job;
        left_ = job.chunks - 1;
        error_ = nullptr;
        ++generation_;
        wake_.notify_all();
    }

    void work(int chunk, std::uint64_t seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        while (true) {
            wake_.wait(lock, [&] { return generation_ != seen; });
            seen = generation_;
            if (chunk >= job_.chunks) {
                continue;
            }
            const Job job = job_;
            lock.unlock();
            std::exception_ptr error;
            try {
                job.run(chunk);
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            if (error && !error_) {
                error_ = error;
            }
            if (--left_ == 0) {
                done_.notify_one();
            }
        }
    }

    const std::int64_t owner_ = process_id();
    std::mutex turn_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    Job job_;
    std::exception_ptr error_;
    std::uint64_t generation_ = 0;
    int workers_ = 0;
    int left_ = 0;
};

Pool& pool() {
    static Pool* const made = new Pool;
    return *made;
}

constexpr double kWakeNanoseconds =
    50e3;  // waking a thread and waiting for it: 10 us when idle, 100 us when busy

}  // namespace

void run_chunks(std::int64_t items, int threads, ChunkFn fn, void* context) {
    const int chunks = static_cast<int>(std::clamp<std::int64_t>(items, 1, std::max(threads, 1)));
    const Job job{fn, context, items, chunks};
    if (chunks > 1 && pool().try_run(job)) {
        return;
    }
    for (int chunk = 0; chunk < chunks; ++chunk) {
        job.run(chunk);
    }
}

int useful_threads(int threads, double nanoseconds) {
    const int most = static_cast<int>(std::min(nanoseconds / kWakeNanoseconds, 1024.0));
    return std::clamp(threads, 1, std::max(most, 1));
}

std::int64_t process_id() { return static_cast<std::int64_t>(getpid()); }

}  // namespace embody
