// Actions of a block of rows by the policy.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/buffer.h"
#include "nn/forward.h"
#include "world/rollout.h"

namespace embody {

class Acting {
  public:
    Acting(const Actor& actor, const RolloutSettings& settings);

    // action[count, A] for observations [count, O].
    void act(std::int64_t count, const std::uint32_t* ids, std::uint32_t step,
             const float* observations, float* action);

  private:
    void put(Rows outputs, std::int64_t place, bool turned, float* action) const;
    // The canonical action's component `i`.
    float component(Rows outputs, std::int64_t place, std::int64_t i) const;

    const Actor& actor_;
    const RolloutSettings& settings_;
    Forward forward_;
    Buffer inputs_;  // [kBlockRows, O]
    Buffer noise_;   // [kBlockRows, drawn A]
};

}  // namespace embody
