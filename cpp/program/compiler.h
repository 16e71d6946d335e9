// From the validated list of nodes to instructions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "program/draft.h"
#include "program/spec.h"

namespace embody {

inline constexpr std::size_t kPhases = 4;

// The state of one node: its first row and how many there are.
struct StateNode {
    std::int64_t node = 0;
    std::int64_t slot = 0;
    std::int64_t slots = 0;
};

// What the compiler gives: instructions by phase, and what they refer to.
struct Compiled {
    std::array<std::vector<Instruction>, kPhases> phases;
    std::array<std::vector<std::int32_t>, kPhases> in_reset;  // those that a reset needs as well
    std::vector<std::unique_ptr<const Load>> loads;
    std::vector<GroupTable> tables;
    // Registers that hold what depends on parameters only: lanes of one number, of which a few are
    // read by their first row only, and others.
    std::vector<std::int32_t> set_firsts;
    std::vector<std::int32_t> set_lanes;
    std::vector<std::int32_t> set_rows;
    std::int64_t register_lanes = 0;
    std::vector<StateNode> state_nodes;
    std::int64_t state_slots = 0;
    double block_nanoseconds = 0;
};

// One step of a sum over rows: the node whose work it does reads `next` and some operands.
struct RowLink {
    RowOp op = RowOp::abs;
    std::size_t next = 0;
    std::vector<std::size_t> operands;
};

class Compiler {
  public:
    // With `sets`, what depends on parameters is kept apart, to be run for many sets of them.
    Compiler(const ProgramSpec& spec, bool sets);

    Compiled run();

  private:
    struct Node {
        std::int64_t slot = 0;  // first row of the state
        std::int32_t uses = 0;  // by needed nodes and stores
        std::int32_t stores = 0;
        std::int32_t lanes = -1;         // its value as lanes
        std::int32_t rows = -1;          // and as rows
        std::int32_t row = -1;           // and, of a uniform one, as one row
        bool needed = false;             // by a store, a guard or an operation with memory
        bool in_reset = false;           // also by a reset
        bool uniform = false;            // depends on constants and parameters only
        bool of_set = false;             // depends on parameters
        bool absorbed = false;           // its only user does its work
        std::vector<std::size_t> terms;  // of a sum of products: these products
        std::vector<RowLink> links;      // of a sum over rows: its steps, the last one first
        bool violation = false;          // max(low - x, 0) + max(x - high, 0)
        bool gauss = false;              // exp(-(x / scale))
    };

    bool has_memory(std::size_t i) const {
        const Shape shape = info(ops_[i]).shape;
        return shape == Shape::memory || shape == Shape::machine;
    }
    // Guards, marks and watches write flags, so they run whether or not anything reads them.
    bool has_effect(std::size_t i) const {
        return ops_[i] == Op::guard || ops_[i] == Op::mark || ops_[i] == Op::watch;
    }
    // Operations of any number of arguments have their lanes in a list.
    bool is_listed(std::size_t i) const {
        return ops_[i] == Op::concat || ops_[i] == Op::kernel || ops_[i] == Op::flagged;
    }
    const NodeSpec& spec(std::size_t i) const { return spec_.nodes[i]; }
    std::size_t arg(std::size_t i, std::size_t a) const {
        return static_cast<std::size_t>(spec(i).args[a]);
    }
    // True when the operation reads this argument from the bound array, if that is one of doubles.
    bool reads_raw(std::size_t i, std::size_t a) const {
        const Op op = ops_[i];
        const bool change = op == Op::delta || op == Op::rate || op == Op::unwrap ||
                            (op == Op::potential && a == 0);
        return op == Op::sub64 || (change && ops_[arg(i, a)] == Op::input);
    }

    void settle();
    void mark_needed();
    void plan();
    void absorb(std::size_t i);
    bool is_zero(std::size_t i) const;
    bool is_single(std::size_t i, Op op) const;
    bool is_gauss(std::size_t i) const;
    bool is_violation(std::size_t i) const;
    bool is_weighted(std::size_t i, std::size_t user) const;
    void absorb_terms(std::size_t i);
    void absorb_rows(std::size_t i);
    std::optional<RowLink> link_of(std::size_t i, bool reads_array) const;
    std::optional<RowLink> binary_link(std::size_t i, bool reads_array) const;
    void find_columns();
    void make_tables();
    void collect();
    void keep_for_sets();

    Phase phase_of(std::size_t i) const;
    std::int32_t lanes_of(std::size_t i);
    std::int32_t rows_of(std::size_t i);
    std::int32_t row_of(std::size_t i);
    std::int32_t input_lanes(std::size_t i);
    std::int32_t load_lanes(std::size_t slot, const std::vector<std::int32_t>& columns,
                            bool in_reset);
    std::int32_t gather(std::int32_t from, const std::vector<std::int64_t>& lanes, std::size_t i);
    const Load* own_load(std::size_t i);
    const Load* make_load(std::size_t slot, std::vector<std::int32_t> columns);

    void draft(std::size_t i);
    Draft begin(std::size_t i) const;
    std::int32_t operation(std::size_t i);
    std::int32_t row_operation(std::size_t i);
    std::int32_t row_sum(std::size_t i);
    std::int32_t lane_sum(std::size_t i);
    std::int32_t weighted_sum(std::size_t i);
    void wait_to_guard(std::size_t i);
    void emit_guards();
    bool guards_in_place(std::size_t i) const;
    Draft with_args(std::size_t i, const std::vector<std::size_t>& args);
    void fill_numbers(std::size_t i, Instruction& out) const;
    static void set_kernel(Draft& draft, Op op);
    std::int32_t emit(Draft draft);

    const ProgramSpec& spec_;
    bool sets_;
    Compiled out_;
    std::vector<Op> ops_;
    std::vector<Node> nodes_;
    std::vector<std::int32_t> pitch_;                 // of nodes computed as rows
    std::vector<bool> takes_rows_;                    // sums over rows
    std::vector<std::vector<std::int32_t>> columns_;  // of every input, wanted as lanes
    std::vector<std::int32_t> loaded_;                // their value
    std::vector<bool> slot_in_reset_;
    std::vector<std::size_t> waiting_;  // guards that will be one instruction
    Drafts drafts_;
};

inline constexpr std::int32_t kNone = -1;
inline std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

// The columns that an input node reads.
std::vector<std::int32_t> columns_of(const NodeSpec& input);

}  // namespace embody
