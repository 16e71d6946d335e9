// How values lie in registers: as lanes of 64 rows, or as the rows of a block, [64][pitch].
#pragma once

#include <cstdint>
#include <vector>

#include "program/instruction.h"
#include "program/spec.h"

namespace embody {

// A sum over many components needs no lanes: its terms can be worked out in the order in which the
// caller's rows lie, [64][pitch], where loading is copying. Element-wise kernels see such a value
// as `pitch` lanes.
struct RowPlan {
    std::vector<std::int32_t> pitch;  // of every node that is computed as rows; 0: lanes
    std::vector<bool> takes_rows;     // sums whose argument is kept as rows
};

// Whether columns follow one another.
bool is_run(const std::int64_t* columns, std::size_t count);

// `needed` and `uniform` are flags of the nodes: what must be computed, and what depends on
// constants and parameters only.
RowPlan plan_rows(const ProgramSpec& spec, const std::vector<Op>& ops,
                  const std::vector<bool>& needed, const std::vector<bool>& uniform);

}  // namespace embody
