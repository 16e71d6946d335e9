// Neighbouring environments that are walked back in time together.
#pragma once

#include <cstdint>
#include <vector>

#include "returns/gae.h"
#include "returns/kernels.h"

namespace embody {

// Holds the per-cell copies of what is given per channel or per environment.
class Stretch {
  public:
    using Kernel = void (*)(const GaeStep&);

    // `values`, `lam` and `advantages` may be null where the kernel does not use them. What the
    // kernel takes as its trace is gamma * lam, or lam where there are no advantages.
    Stretch(const Rollout& rollout, const float* values, const float* lam, float* advantages,
            float* returns, std::int64_t rows);

    // Walks back over the environments [first, first + rows).
    void run(std::int64_t first, std::int64_t rows, Kernel kernel);

    // The same step by step: begin, then `step` with t falling from the last one, over rewards
    // [rows, C] of that step, which `gate` may withhold.
    void begin();
    void step(std::int64_t t, std::int64_t first, std::int64_t rows, const float* rewards,
              Kernel kernel, const Withholding& gate = {});

    // [rows, C]: what the step before will see of this one.
    float* carry() { return carry_.data(); }

  private:
    std::int64_t step_rows(const GaeStep& step, std::int64_t row) const;
    void find_ends(std::int64_t row, std::int64_t rows, bool last);
    void empty_rows(std::int64_t row, std::int64_t rows);

    const Rollout& rollout_;
    const float* values_;
    float* advantages_;
    float* returns_;
    std::vector<std::uint32_t> ended_;
    std::vector<float> gamma_;
    std::vector<float> trace_;
    std::vector<float> carry_;
};

}  // namespace embody
