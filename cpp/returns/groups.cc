#include "returns/groups.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace embody {
namespace {

constexpr double kLeast = 1e-8;  // smallest divisor

// Compares the members of one group in place; what is not finite becomes 0.
void compare(std::vector<double>& group, bool leave_one_out) {
    double count = 0;
    double total = 0;
    for (const double x : group) {
        count += std::isfinite(x) ? 1 : 0;
        total += std::isfinite(x) ? x : 0;
    }
    const double mean = total / std::max(count, 1.0);
    double squares = 0;
    for (double& x : group) {
        x = std::isfinite(x) ? x - mean : 0.0;
        squares += x * x;
    }
    const double deviation = std::sqrt(squares / std::max(count, 1.0));
    const double factor = leave_one_out ? count / std::max(count - 1, 1.0) : 1.0;
    const double divisor = leave_one_out ? 1.0 : std::max(deviation, kLeast);
    for (double& x : group) {
        x = x * factor / divisor;
    }
}

double weighted_sum(const double* rewards, const float* weights, std::int64_t channels) {
    double total = 0;
    bool any = false;
    for (std::int64_t c = 0; c < channels; ++c) {
        if (std::isfinite(rewards[c])) {
            total += rewards[c] * static_cast<double>(weights[c]);
            any = true;
        }
    }
    return any ? total : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void group_advantages(const GroupRewards& given, bool sum_first, bool leave_one_out, double* out) {
    const auto members = static_cast<std::size_t>(given.members);
    std::vector<double> group(members);
    for (std::int64_t b = 0; b < given.groups; ++b) {
        const double* rewards = given.rewards + b * given.members * given.channels;
        double* own = out + b * given.members;
        std::fill_n(own, members, 0.0);
        for (std::int64_t c = 0; c < (sum_first ? 1 : given.channels); ++c) {
            for (std::int64_t g = 0; g < given.members; ++g) {
                const double* row = rewards + g * given.channels;
                group[static_cast<std::size_t>(g)] =
                    sum_first ? weighted_sum(row, given.weights, given.channels) : row[c];
            }
            compare(group, leave_one_out);
            const double weight = sum_first ? 1.0 : static_cast<double>(given.weights[c]);
            for (std::size_t g = 0; g < members; ++g) {
                own[g] += weight * group[g];
            }
        }
    }
}

}  // namespace embody
