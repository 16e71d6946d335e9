// Zeroed numbers at a 64-byte boundary, made once and never grown.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace embody {

inline constexpr std::int64_t kLine = 16;  // floats of a cache line, and of the widest vector

constexpr std::int64_t padded(std::int64_t count) { return (count + kLine - 1) / kLine * kLine; }

// Floats between rows of a block: an odd number of cache lines, so that the rows of one column
// spread over all sets of a cache.
constexpr std::int64_t row_stride(std::int64_t count) {
    return padded(count) + (padded(count) / kLine % 2 == 0 ? kLine : 0);
}

template <class T>
class Aligned {
  public:
    explicit Aligned(std::int64_t count)
        : memory_(static_cast<T*>(
              ::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlignment))) {
        std::fill_n(memory_.get(), count, T{});
    }
    T* data() const { return memory_.get(); }

  private:
    static constexpr std::align_val_t kAlignment{64};
    struct Free {
        void operator()(T* memory) const { ::operator delete(memory, kAlignment); }
    };
    std::unique_ptr<T, Free> memory_;
};

using Buffer = Aligned<float>;

}  // namespace embody
