// One thread's rollouts: a block of rows goes through the whole horizon before the next one begins.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "world/acting.h"
#include "world/imagined_program.h"
#include "world/members.h"

namespace embody {

class RolloutBlock {
  public:
    // For blocks of at most `rows` rows. The rollout is kept by the caller.
    RolloutBlock(const Imagination& rollout, std::int64_t rows);

    // Imagines the rows [begin, end) of the caller; returns how many left the finite numbers.
    std::int64_t run(std::int64_t begin, std::int64_t end);

  private:
    void start(std::int64_t begin, std::int64_t end);
    std::int64_t step(std::int64_t step);
    void act(std::int64_t step);
    // Carried signals as they are after `step` steps, for rows in the caller's places.
    void carry(std::int64_t step);
    std::int64_t drop_diverged(std::int64_t step);
    void reject(std::int64_t step);
    void store_before(std::int64_t step) const;
    void store_after(std::int64_t step);
    // Live rows [count, width] at a step of [L, B, width], unless null.
    template <class T>
    void store(T* array, std::int64_t step, const T* from, std::int64_t width) const;
    void retire_ended(std::int64_t step);
    bool terminated(std::int64_t row) const;
    // The row ends: nothing is valid from `step` on, and the last live row takes its place.
    void end(std::int64_t row, std::int64_t step);
    const float* observation(std::int64_t row) const;  // null for one of no numbers
    const float* critic(std::int64_t row) const;
    void put_final(std::int64_t row) const;

    const Imagination& rollout_;
    const RolloutArrays& arrays_;
    std::int64_t state_;
    std::int64_t action_;
    std::int64_t observation_;
    std::int64_t critic_;
    std::int64_t count_ = 0;            // live rows
    std::vector<std::int64_t> origin_;  // [R], rows of the caller
    bool in_order_ = true;              // whether these follow each other
    std::vector<std::uint32_t> ids_;
    std::vector<float> states_;   // [R, S]
    std::vector<float> next_;     // [R, S]
    std::vector<float> actions_;  // [R, A]
    std::vector<float> carried_;  // [R, K]
    std::vector<float> penalty_;
    std::vector<std::int8_t> member_;
    std::vector<float> credible_;
    std::vector<std::uint8_t> rejected_;
    std::vector<std::uint8_t> ended_;
    std::vector<std::uint8_t> ones_;
    Members members_;
    std::optional<Acting> acting_;
    std::optional<ImaginedProgram> program_;
};

}  // namespace embody
