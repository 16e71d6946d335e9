// What the Python compiler hands over: a program as plain lists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/view.h"
#include "program/op.h"

namespace embody {

struct NodeSpec {
    std::string op;
    std::vector<std::int64_t> args;  // earlier nodes
    std::int64_t lanes = 0;
    std::vector<std::int64_t> ints;
    std::vector<double> floats;
};

struct InputSpec {
    std::string name;
    std::int64_t width = 0;
};

struct GroupSpec {
    std::string name;
    std::int64_t width = 0;
    DType dtype = DType::f4;  // f4 or u1
    bool on_reset = false;    // also written by reset
};

struct StoreSpec {
    std::int64_t node = 0;
    std::int64_t group = 0;
    std::int64_t column = 0;
};

struct ProgramSpec {
    std::vector<NodeSpec> nodes;
    std::vector<InputSpec> inputs;
    std::vector<GroupSpec> groups;
    std::vector<StoreSpec> stores;
    std::vector<float> params;
    double dt = 0;
};

inline constexpr std::int64_t kMaxNodes = 16384;
inline constexpr std::int64_t kMaxLanes = 1024;
inline constexpr std::int64_t kMaxRegisterLanes = 65536;
inline constexpr std::int64_t kMaxState = 4096;
inline constexpr std::int64_t kMaxDepth = 16;
inline constexpr std::int64_t kMaxTable = 4096;
inline constexpr std::int64_t kMaxKeys = 1024;
inline constexpr std::int64_t kMaxEdges = 256;
inline constexpr std::int64_t kMaxStages = 64;
inline constexpr std::int64_t kMachineLanes = 3;  // stage before, stage after, edge taken (from 1)
inline constexpr std::int64_t kMaxKernelArgs = 16;
inline constexpr std::int64_t kMaxWidth = 65536;
inline constexpr std::int64_t kMaxTables = 4096;  // inputs, groups

// The operation of every node. Throws std::invalid_argument naming the first node, input, group or
// store that is wrong.
std::vector<Op> validate(const ProgramSpec& spec);

// Doubles of state that the node keeps for an environment.
std::int64_t state_doubles(const NodeSpec& node, Op op);

}  // namespace embody
