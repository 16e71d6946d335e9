#include "returns/advantages.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/float_mode.h"
#include "returns/kernels.h"
#include "returns/rollout_threads.h"

namespace embody {
namespace {

constexpr std::int64_t kChunkRows = 4096;
constexpr double kLeast = 1e-8;     // smallest divisor
constexpr double kMomentum = 0.05;  // of the running deviation
constexpr double kNanosecondsPerCell = 0.5;

struct Moments {
    double count = 0;
    double mean = 0;
    double squares = 0;  // sum of squared distances from the mean
};

// Cells summed side by side: whole rows, enough of them for vector code.
std::int64_t lanes_of(std::int64_t channels) {
    return channels * std::max<std::int64_t>(1, 64 / channels);
}

std::int64_t chunks_of(std::int64_t rows) { return (rows + kChunkRows - 1) / kChunkRows; }

// Moments of two sets as one (Chan, Golub and LeVeque 1983).
void merge(Moments& a, const Moments& b) {
    if (b.count == 0) {
        return;
    }
    const double count = a.count + b.count;
    const double apart = b.mean - a.mean;
    a.mean = a.count == 0 ? b.mean : a.mean + apart * (b.count / count);
    a.squares += b.squares + apart * apart * (a.count * b.count / count);
    a.count = count;
}

// The lanes of channel c, added in order.
double channel_sum(const std::vector<double>& lanes, std::size_t channel, std::size_t channels) {
    double total = 0;
    for (std::size_t i = channel; i < lanes.size(); i += channels) {
        total += lanes[i];
    }
    return total;
}

// One chunk of rows in two passes: means, then squares about them.
void chunk_moments(const float* x, std::int64_t rows, std::int64_t channels, Moments* out) {
    const auto width = static_cast<std::size_t>(channels);
    const std::int64_t lanes = lanes_of(channels);
    std::vector<double> total(static_cast<std::size_t>(lanes));
    std::vector<double> count(total.size());
    std::vector<double> centre(total.size());
    return_kernels().sums(x, rows * channels, lanes, total.data(), count.data());
    for (std::size_t c = 0; c < width; ++c) {
        out[c].count = channel_sum(count, c, width);
        out[c].mean = out[c].count > 0 ? channel_sum(total, c, width) / out[c].count : 0.0;
        for (std::size_t i = c; i < centre.size(); i += width) {
            centre[i] = out[c].mean;
        }
    }
    std::fill(total.begin(), total.end(), 0.0);
    return_kernels().squares(x, rows * channels, lanes, centre.data(), total.data());
    for (std::size_t c = 0; c < width; ++c) {
        out[c].squares = channel_sum(total, c, width);
    }
}

// Moments of every channel: chunks in any order, merged in theirs.
std::vector<Moments> all_moments(const float* x, std::int64_t rows, std::int64_t channels,
                                 int threads) {
    const std::int64_t chunks = chunks_of(rows);
    std::vector<Moments> parts(static_cast<std::size_t>(chunks * channels));
    parallel_for(chunks, threads, [&](std::int64_t begin, std::int64_t end, int) {
        const FloatMode mode;
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t first = i * kChunkRows;
            chunk_moments(x + first * channels, std::min(kChunkRows, rows - first), channels,
                          parts.data() + i * channels);
        }
    });
    std::vector<Moments> out(static_cast<std::size_t>(channels));
    for (std::size_t i = 0; i < parts.size(); ++i) {
        merge(out[i % out.size()], parts[i]);
    }
    return out;
}

double deviation(const Moments& m) { return m.count > 0 ? std::sqrt(m.squares / m.count) : 0.0; }

void standardise(float* x, std::int64_t rows, const std::vector<double>& centre,
                 const std::vector<double>& divisor, int threads) {
    const auto channels = static_cast<std::int64_t>(centre.size());
    const std::int64_t lanes = lanes_of(channels);
    std::vector<double> centres;
    std::vector<double> divisors;
    for (std::int64_t i = 0; i < lanes; ++i) {
        centres.push_back(centre[static_cast<std::size_t>(i % channels)]);
        divisors.push_back(divisor[static_cast<std::size_t>(i % channels)]);
    }
    parallel_for(chunks_of(rows), threads, [&](std::int64_t begin, std::int64_t end, int) {
        const FloatMode mode;
        const std::int64_t first = begin * kChunkRows;
        const std::int64_t last = std::min(rows, end * kChunkRows);
        return_kernels().standardise(x + first * channels, (last - first) * channels, lanes,
                                     centres.data(), divisors.data());
    });
}

// Takes rows that are not valid out of what follows, which leaves out what is not finite.
void leave_out(float* x, std::int64_t rows, std::int64_t channels, const std::uint8_t* valid) {
    for (std::int64_t row = 0; valid != nullptr && row < rows; ++row) {
        if (valid[row] == 0) {
            std::fill_n(x + row * channels, channels, std::numeric_limits<float>::quiet_NaN());
        }
    }
}

}  // namespace

void normalise_advantages(float* advantages, std::int64_t rows, std::int64_t channels,
                          const float* floor, double* running_std, bool first,
                          ChannelMoments* moments, int threads, const std::uint8_t* valid) {
    const int used = rollout_threads(threads, rows * channels, kNanosecondsPerCell);
    leave_out(advantages, rows, channels, valid);
    const std::vector<Moments> seen = all_moments(advantages, rows, channels, used);
    std::vector<double> centre;
    std::vector<double> divisor;
    for (std::size_t c = 0; c < seen.size(); ++c) {
        const double sd = deviation(seen[c]);
        if (seen[c].count > 0) {
            running_std[c] = first ? sd : running_std[c] + kMomentum * (sd - running_std[c]);
        }
        centre.push_back(seen[c].mean);
        divisor.push_back(std::max({sd, static_cast<double>(floor[c]) * running_std[c], kLeast}));
        moments[c] = {seen[c].mean, sd, divisor[c], seen[c].count};
    }
    standardise(advantages, rows, centre, divisor, used);
}

void combine(const float* advantages, std::int64_t rows, std::int64_t channels,
             const float* weights, bool renormalise, float* out, int threads,
             const std::uint8_t* valid) {
    const int used = rollout_threads(threads, rows * channels, kNanosecondsPerCell);
    parallel_for(chunks_of(rows), used, [&](std::int64_t begin, std::int64_t end, int) {
        const FloatMode mode;
        const std::int64_t first = begin * kChunkRows;
        const std::int64_t count = std::min(rows, end * kChunkRows) - first;
        return_kernels().weigh(channels,
                               {count, advantages + first * channels, weights, out + first});
    });
    leave_out(out, rows, 1, valid);
    if (renormalise) {
        const Moments seen = all_moments(out, rows, 1, used)[0];
        standardise(out, rows, {seen.mean}, {std::max(deviation(seen), kLeast)}, used);
    } else if (valid != nullptr) {
        standardise(out, rows, {0.0}, {1.0}, used);
    }
}

}  // namespace embody
