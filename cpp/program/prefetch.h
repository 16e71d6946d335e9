// Asking for the next block's rows while this one is worked on, a few lines before every
// instruction.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/view.h"

namespace embody {

// What a block reads of the caller's arrays: several inputs may be columns of one array.
struct Reach {
    // Bytes of a row that lie side by side.
    struct Span {
        const std::byte* data;
        std::ptrdiff_t stride;
        std::ptrdiff_t bytes;
    };
    std::vector<Span> spans;  // none when the inputs of all rows fit into a cache
    std::int64_t quota = 0;   // lines before an instruction

    Reach(const std::vector<InputView>& inputs, std::int64_t rows, std::size_t instructions);
};

class Prefetch {
  public:
    Prefetch(const Reach& reach, std::int64_t begin, std::int64_t end);

    void advance() {
        std::int64_t left = reach_.quota;
        while (left > 0 && at_ != nullptr) {
            const std::int64_t lines = std::min(left, (row_end_ - at_ + kLine - 1) / kLine);
            for (std::int64_t i = 0; i < lines; ++i) {
                __builtin_prefetch(at_ + i * kLine);
            }
            at_ += lines * kLine;
            left -= lines;
            if (at_ >= row_end_) {
                next_row();
            }
        }
    }

  private:
    static constexpr std::ptrdiff_t kLine = 64;

    void next_row();
    void start_span();

    const Reach& reach_;
    std::int64_t begin_;
    std::int64_t end_;
    std::size_t span_ = 0;
    std::int64_t row_ = 0;
    const std::byte* at_ = nullptr;
    const std::byte* row_end_ = nullptr;
};

}  // namespace embody
