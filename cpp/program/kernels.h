// The table of block kernels of the SIMD level in use.
#pragma once

#include <array>

#include "program/instruction.h"
#include "program/op.h"

namespace embody {

using StoreKernel = void (*)(const GroupTable&, const OutputView&, const Block&);

using FillKernel = void (*)(float* registers, const std::int32_t* lanes, const float* numbers,
                            std::int64_t count);

// Values kept as rows of a block; `input` is null at levels that have no such kernels.
struct RowKernels {
    Kernel input = nullptr;   // copies columns of a bound array
    Kernel spread = nullptr;  // repeats a uniform value in every row
    Kernel pack = nullptr;    // a uniform value as one row that serves all
    Kernel sub = nullptr;     // the difference of two bound arrays
    Kernel sum = nullptr;     // over the components, after some steps, to one lane
};

struct KernelTable {
    std::array<Kernel, kOps> step{};
    std::array<Kernel, kOps> reset{};
    RowKernels rows;
    Kernel weighted_sum = nullptr;  // scale * term + scale * term ...
    Kernel limit_violation = nullptr;
    Kernel gauss = nullptr;           // exp(-(x / scale))
    Kernel weighted_total = nullptr;  // of uniform scales
    Kernel sum_square = nullptr;      // over lanes, of squares; of absolute values
    Kernel sum_abs = nullptr;
    FillKernel fill = nullptr;  // numbers into whole register lanes
    StoreKernel store_f4 = nullptr;
    StoreKernel store_u1 = nullptr;
};

const KernelTable& kernels();

}  // namespace embody
