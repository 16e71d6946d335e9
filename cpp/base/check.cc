#include "base/check.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace embody {
namespace {

// Levenshtein distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0U : 1U);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

}  // namespace

std::string suggestion(std::string_view wrong, std::span<const std::string_view> legal) {
    if (wrong.size() > 64) {
        return "";
    }
    std::string_view best;
    std::size_t least = std::max<std::size_t>(2, wrong.size() / 2) + 1;
    for (const std::string_view name : legal) {
        const std::size_t distance = edit_distance(wrong, name);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best.empty() ? "" : text(", did you mean '", best, "'?");
}

}  // namespace embody
