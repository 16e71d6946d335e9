// One block of environments on its way through the gates: up in time, then back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "returns/gates.h"
#include "returns/kernels.h"

namespace embody {

// Where the rows of a block are written: row t begins at data + t * stride.
template <class T>
struct BlockRows {
    T* data = nullptr;
    std::int64_t stride = 0;

    T* row(std::int64_t t) const { return data + t * stride; }
};

class GateBlock {
  public:
    // For blocks of at most `most` environments. Unless `written`, nothing is written on the way up
    // (see `needs_rows`).
    GateBlock(const GateRules& rules, const GateState& state, const GateInput& input,
              std::int64_t most, bool written);

    // The block of the environments [first, first + rows). `gate` is written if gates run.
    void begin(std::int64_t first, std::int64_t rows, BlockRows<float> gated,
               BlockRows<std::uint8_t> gate);

    // Whether gates only withhold positive rewards to the end of episodes and know of earlier
    // steps no more than the highest reward and a sum: then the way back needs no rows of its own,
    // but `ended` and `most`.
    static bool only_withholds(const GateRules& rules, const GateInput& input);

    // Whether what is read on the way back differs from the rewards.
    static bool needs_rows(const GateRules& rules, const GateInput& input);

    // Finds what ended episodes measure, and splits and caps what must be on the way up; they are
    // added to `episodes` in the order of (step, environment).
    void forward(GateEpisodes& episodes);

    // To be called after `forward`, with t falling from the last step: writes what step t pays
    // into out [rows, C], and the gate's row unless it is null.
    void back(std::int64_t t, const GateEpisodes& episodes, float* out, std::uint8_t* gate);

    // In place of `back` where gates only withhold: the episodes that end at step t, as a range.
    // After it, step t's rewards are to be walked over with `withholding`.
    std::pair<std::size_t, std::size_t> ended(std::int64_t t, const GateEpisodes& episodes);
    Withholding withholding();
    const float* most() const { return most_.data(); }

    // [rows, C], where gates only withhold: what the way back has not paid.
    const std::vector<double>& lost() const { return lost_; }

    // To be called after the way back: what unfinished episodes leave to the next buffer.
    void finish(const GateEpisodes& episodes);

    // Whether the gate of an environment's channel is open at the step t last walked back to.
    bool open(std::int64_t t, std::int64_t n, std::int64_t c) const;

    // Calls body(n) for every environment whose episode ends at step t.
    template <class Body>
    void for_ends(std::int64_t t, Body&& body) const;

  private:
    struct Level {
        std::size_t channel = 0;
        std::int32_t level = 0;
    };

    bool withholds() const { return !most_.empty(); }
    void measure_episode(std::int64_t t, std::int64_t n);
    void leave(std::int64_t n);
    void measure_unfinished(std::size_t cells, const GateEpisodes& episodes);
    void set_channels(std::int64_t most);
    bool valid(std::int64_t t, std::int64_t n) const;
    void count(std::int64_t t);
    void take(std::int64_t t);
    void take_rows(std::int64_t t, std::int64_t n, std::int64_t count);
    void skip_row(std::int64_t t, std::int64_t n);
    void meet_conditions(std::int64_t t, std::int64_t n, std::int64_t count);
    void run_row(std::int64_t t, std::int64_t n);
    void cascade(std::int64_t n);
    bool reached(std::int64_t n, std::size_t c) const;
    void close(std::int64_t t, std::int64_t n, GateEpisodes& episodes);
    void forget(std::int64_t n);
    void turn(const GateEpisodes& episodes);
    void begin_episode(std::int64_t n, const GateEpisodes& episodes, std::size_t index);
    void add_lumps(std::int64_t t, const GateEpisodes& episodes, std::size_t last,
                   float* out) const;
    void settle_held(std::size_t cells);

    const GateRules& rules_;
    const GateInput& input_;
    const GateState all_;
    GateState state_;  // of this block's first environment on
    std::int64_t first_ = 0;
    std::int64_t rows_ = 0;
    std::int64_t channels_;
    bool running_;
    std::vector<Level> gating_;
    std::vector<Level> gated_channels_;
    bool shared_ = false;  // a channel pays the mean
    BlockRows<float> gated_;
    BlockRows<std::uint8_t> gate_;
    ReturnKernels::Take take_ = nullptr;
    std::vector<std::uint8_t> now_;     // [C]: the cascade of one row
    std::vector<std::uint32_t> flags_;  // [rows, C]
    std::vector<double> cap_;           // [rows, C]
    std::vector<double> lump_;          // [C]: of one row
    std::vector<std::int64_t> since_;   // [rows]: the first step of the unfinished episode
    std::vector<double> lost_;          // [rows, C], back in time, where it may be held
    std::vector<float> best_;           // [rows, C], back in time, where a channel needs it
    std::vector<float> most_;           // [rows, C], back in time, where gates only withhold
    std::vector<std::uint32_t> pays_;   // [rows, C], back in time: a kPays
    std::vector<float> length_;         // [rows, C], back in time: of the episode that is paid
    std::vector<double> early_;         // [rows, C]: held, but paid at the last step
    std::size_t begun_ = 0;             // the first episode of this block
    std::size_t next_ = 0;              // one past the newest episode that is still to come
};

template <class Body>
void GateBlock::for_ends(std::int64_t t, Body&& body) const {
    constexpr std::int64_t kTogether = 32;
    const std::int64_t row = t * input_.environments + first_;
    const std::uint8_t* terminated = input_.terminated + row;
    const std::uint8_t* truncated = input_.truncated + row;
    for (std::int64_t n = 0; n < rows_; n += kTogether) {
        const std::int64_t here = std::min(kTogether, rows_ - n);
        const auto ended = [&](std::int64_t count) {
            std::uint8_t found = 0;
            for (std::int64_t i = n; i < n + count; ++i) {
                found |= static_cast<std::uint8_t>(terminated[i] | truncated[i]);
            }
            return found != 0;
        };
        const bool any = here == kTogether ? ended(kTogether) : ended(here);  // vector code
        for (std::int64_t i = n; any && i < n + here; ++i) {
            if ((terminated[i] | truncated[i]) != 0 && valid(t, i)) {
                body(i);
            }
        }
    }
}

}  // namespace embody
