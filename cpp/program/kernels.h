// The table of block kernels of the SIMD level in use.
#pragma once

#include <array>

#include "program/instruction.h"
#include "program/op.h"

namespace embody {

using StoreKernel = void (*)(const GroupTable&, const OutputView&, const Block&);

struct KernelTable {
    std::array<Kernel, kOps> step{};
    std::array<Kernel, kOps> reset{};
    StoreKernel store_f4 = nullptr;
    StoreKernel store_u1 = nullptr;
};

const KernelTable& kernels();

}  // namespace embody
