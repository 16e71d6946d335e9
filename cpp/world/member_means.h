// Sums of what the members of an ensemble predict for a few rows.
#pragma once

#include <cstdint>

#include "nn/buffer.h"
#include "nn/pass.h"

namespace embody {

class MemberMeans {
  public:
    explicit MemberMeans(std::int64_t columns);

    // Forgets all members; from now on there are `rows` rows.
    void clear(std::int64_t rows);

    // Adds one member's means [rows, columns]; those of elites are summed by themselves, too.
    void add(Rows means, bool elite);

    // out[columns] = the mean of the elites.
    void elites(std::int64_t row, float* out) const;

    // The norm of the standard deviation over all members.
    float disagreement(std::int64_t row) const;

  private:
    std::int64_t columns_;
    std::int64_t rows_ = 0;
    float members_ = 0.0F;
    float elites_ = 0.0F;
    Buffer first_;    // of the first member: what others differ by keeps its digits
    Buffer apart_;    // sums of what they differ by
    Buffer squares_;  // and of its squares
    Buffer elite_;
};

}  // namespace embody
