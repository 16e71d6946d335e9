#include "program/prefetch.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace embody {
namespace {

constexpr std::ptrdiff_t kLine = 64;
constexpr std::int64_t kCached = 1 << 21;  // bytes of inputs that need no prefetching

// Joins the span with those that it touches.
void add(std::vector<Reach::Span>& spans, Reach::Span span) {
    for (auto other = spans.begin(); other != spans.end();) {
        const std::byte* low = std::min(other->data, span.data);
        const std::byte* high = std::max(other->data + other->bytes, span.data + span.bytes);
        if (other->stride == span.stride && high - low <= other->bytes + span.bytes + kLine) {
            span = {low, span.stride, high - low};
            other = spans.erase(other);
        } else {
            ++other;
        }
    }
    spans.push_back(span);
}

}  // namespace

Reach::Reach(const std::vector<InputView>& inputs, std::int64_t rows, std::size_t instructions) {
    std::int64_t total = 0;
    for (const InputView& view : inputs) {
        const std::ptrdiff_t bytes = view.width * size_of(view.dtype);
        total += view.row_stride == 0 ? 0 : bytes * rows;
        add(spans, {view.data, view.row_stride, bytes});
    }
    if (total <= kCached) {
        spans.clear();
    }
    std::int64_t lines = 0;
    for (const Span& span : spans) {
        lines += kBlock * (span.bytes / kLine + 2);
    }
    quota = lines / static_cast<std::int64_t>(std::max<std::size_t>(instructions, 1)) + 1;
}

Prefetch::Prefetch(const Reach& reach, std::int64_t begin, std::int64_t end)
    : reach_(reach), begin_(begin), end_(end) {
    if (begin_ >= end_) {
        span_ = reach_.spans.size();
    }
    start_span();
}

void Prefetch::start_span() {
    if (span_ < reach_.spans.size()) {
        const Reach::Span& span = reach_.spans[span_];
        row_ = begin_;
        at_ = span.data + row_ * span.stride;
        row_end_ = at_ + span.bytes;
        // Rows without a gap between them are one long row.
        if (span.stride > 0 && span.stride <= span.bytes + kLine) {
            row_end_ = span.data + end_ * span.stride;
            row_ = end_ - 1;
        }
    } else {
        at_ = nullptr;  // nothing is left to ask for
    }
}

void Prefetch::next_row() {
    const Reach::Span& span = reach_.spans[span_];
    if (++row_ < end_) {
        at_ = span.data + row_ * span.stride;
        row_end_ = at_ + span.bytes;
        return;
    }
    ++span_;
    start_span();
}

}  // namespace embody
