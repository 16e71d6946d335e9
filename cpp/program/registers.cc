#include "program/registers.h"

#include <iterator>

namespace embody {

std::int32_t Registers::take(std::int32_t lanes) {
    for (auto run = free_.begin(); run != free_.end(); ++run) {
        const auto [first, length] = *run;
        if (length < lanes) {
            continue;
        }
        free_.erase(run);
        if (length > lanes) {
            free_.emplace(first + lanes, length - lanes);
        }
        return first;
    }
    // A free run at the end grows instead of being left as a hole.
    const auto last = free_.empty() ? free_.end() : std::prev(free_.end());
    if (last != free_.end() && last->first + last->second == end_) {
        const std::int32_t first = last->first;
        free_.erase(last);
        end_ = first + lanes;
        return first;
    }
    const std::int32_t first = end_;
    end_ += lanes;
    return first;
}

void Registers::give_back(std::int32_t first, std::int32_t lanes) {
    auto after = free_.lower_bound(first);
    if (after != free_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == first) {
            first = before->first;
            lanes += before->second;
            free_.erase(before);
        }
    }
    if (after != free_.end() && first + lanes == after->first) {
        lanes += after->second;
        free_.erase(after);
    }
    free_.emplace(first, lanes);
}

}  // namespace embody
