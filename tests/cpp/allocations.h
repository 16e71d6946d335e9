// Counts what the whole test program allocates, on any thread.
#pragma once

#include <cstdint>

namespace embody::testing {

// Calls of operator new so far.
std::int64_t allocations();

}  // namespace embody::testing
