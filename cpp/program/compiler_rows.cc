// Values kept as rows, and sums over them: all that happens to a row on the way is one instruction.
#include <array>
#include <optional>
#include <utility>

#include "program/compiler.h"
#include "program/kernels.h"

namespace embody {
namespace {

using Steps = std::array<std::pair<Op, RowOp>, 3>;
constexpr Steps kUnary = {
    {{Op::abs, RowOp::abs}, {Op::neg, RowOp::neg}, {Op::square, RowOp::square}}};

constexpr std::array<std::pair<Op, RowOp>, 10> kRight = {{{Op::add, RowOp::add},
                                                          {Op::sub, RowOp::sub},
                                                          {Op::mul, RowOp::mul},
                                                          {Op::div, RowOp::div},
                                                          {Op::min, RowOp::min},
                                                          {Op::max, RowOp::max},
                                                          {Op::lt, RowOp::lt},
                                                          {Op::le, RowOp::le},
                                                          {Op::gt, RowOp::gt},
                                                          {Op::ge, RowOp::ge}}};
constexpr Steps kLeft = {{{Op::add, RowOp::add}, {Op::sub, RowOp::from}, {Op::mul, RowOp::mul}}};

template <class Pairs>
std::optional<RowOp> find(const Pairs& pairs, Op op) {
    for (const auto& [from, to] : pairs) {
        if (from == op) {
            return to;
        }
    }
    return std::nullopt;
}

}  // namespace

// From a sum over rows down to what is read: every node that nobody else wants becomes a step.
void Compiler::absorb_rows(std::size_t i) {
    Node& sum = nodes_[i];
    bool reads_array = false;
    std::size_t at = arg(i, 0);
    while (pitch_[at] > 0 && nodes_[at].uses == 1 && nodes_[at].of_set == sum.of_set) {
        std::optional<RowLink> link = link_of(at, reads_array);
        if (!link) {
            return;
        }
        for (const std::size_t operand : link->operands) {
            reads_array = reads_array || ops_[operand] == Op::input;
        }
        nodes_[at].absorbed = true;
        at = link->next;
        sum.links.push_back(std::move(*link));
    }
}

// The step that does the work of a node, if there is one.
std::optional<RowLink> Compiler::link_of(std::size_t i, bool reads_array) const {
    if (nodes_[i].violation) {
        const std::size_t below = arg(arg(i, 0), 0);
        const std::size_t above = arg(arg(i, 1), 0);
        if (!nodes_[arg(below, 0)].uniform || !nodes_[arg(above, 1)].uniform) {
            return std::nullopt;
        }
        return RowLink{RowOp::violation, arg(below, 1), {arg(below, 0), arg(above, 1)}};
    }
    if (const std::optional<RowOp> step = find(kUnary, ops_[i])) {
        return RowLink{*step, arg(i, 0), {}};
    }
    return spec(i).args.size() == 2 ? binary_link(i, reads_array) : std::nullopt;
}

std::optional<RowLink> Compiler::binary_link(std::size_t i, bool reads_array) const {
    const std::size_t left = arg(i, 0);
    const std::size_t right = arg(i, 1);
    const bool inputs = ops_[left] == Op::input && ops_[right] == Op::input &&
                        spec(left).lanes == spec(right).lanes;
    if (ops_[i] == Op::sub64) {
        return inputs && !reads_array ? std::optional(RowLink{RowOp::sub64, left, {right}})
                                      : std::nullopt;
    }
    if (nodes_[left].uniform) {
        const std::optional<RowOp> step = find(kLeft, ops_[i]);
        return step ? std::optional(RowLink{*step, right, {left}}) : std::nullopt;
    }
    const std::optional<RowOp> step = find(kRight, ops_[i]);
    const bool reads = ops_[right] == Op::input && !reads_array;
    return step && (nodes_[right].uniform || reads) ? std::optional(RowLink{*step, left, {right}})
                                                    : std::nullopt;
}

std::int32_t Compiler::row_sum(std::size_t i) {
    const std::vector<RowLink>& links = nodes_[i].links;
    const std::size_t source = links.empty() ? arg(i, 0) : links.back().next;
    Draft out = begin(i);
    Instruction& sum = out.instruction;
    sum.k = narrow(spec(i).ints[0]);
    sum.step = sum.reset = kernels().rows.sum;
    if (ops_[source] == Op::input) {
        sum.loads[0] = own_load(source);
    } else {
        out.args.push_back(rows_of(source));
    }
    for (auto link = links.rbegin(); link != links.rend(); ++link) {
        RowStep step{link->op, narrow(static_cast<std::int64_t>(out.args.size()))};
        for (const std::size_t operand : link->operands) {
            if (ops_[operand] == Op::input) {
                sum.loads[1] = own_load(operand);
                step.arg = -1;
            } else {
                out.args.push_back(row_of(operand));
            }
        }
        sum.steps.push_back(step);
    }
    sum.gathers = true;
    sum.list.assign(out.args.size(), 0);
    out.cost = (1.0 + 0.5 * static_cast<double>(links.size())) * static_cast<double>(sum.k);
    return emit(std::move(out));
}

// Element by element over values kept as rows; a uniform lane serves all of them.
std::int32_t Compiler::row_operation(std::size_t i) {
    const bool inputs = spec(i).args.size() == 2 && ops_[arg(i, 0)] == Op::input &&
                        ops_[arg(i, 1)] == Op::input && spec(arg(i, 0)).lanes == spec(i).lanes &&
                        spec(arg(i, 1)).lanes == spec(i).lanes;
    if (ops_[i] == Op::sub64 && inputs) {
        Draft out = begin(i);
        out.instruction.lanes = pitch_[i];
        out.instruction.k = narrow(spec(i).lanes);
        out.instruction.step = out.instruction.reset = kernels().rows.sub;
        out.instruction.loads = {own_load(arg(i, 0)), own_load(arg(i, 1))};
        return emit(std::move(out));
    }
    std::vector<std::size_t> args;
    for (std::size_t a = 0; a < spec(i).args.size(); ++a) {
        args.push_back(arg(i, a));
    }
    return emit(with_args(i, args));
}

// The node's value as rows: computed so, or copied from the caller's rows or a uniform value.
std::int32_t Compiler::rows_of(std::size_t i) {
    Node& node = nodes_[i];
    if (node.rows == kNone) {
        Draft draft;
        draft.phase = phase_of(i);
        draft.in_reset = node.in_reset;
        draft.instruction.k = narrow(spec(i).lanes);
        draft.instruction.lanes = row_pitch(spec(i).lanes);
        if (ops_[i] == Op::input) {
            draft.instruction.loads[0] = own_load(i);
            draft.instruction.step = draft.instruction.reset = kernels().rows.input;
        } else {
            draft.args.push_back(lanes_of(i));
            draft.instruction.step = draft.instruction.reset = kernels().rows.spread;
        }
        draft.cost = 2.0 * static_cast<double>(spec(i).lanes);
        node.rows = emit(std::move(draft));
    }
    return node.rows;
}

// A uniform value as one row.
std::int32_t Compiler::row_of(std::size_t i) {
    if (spec(i).lanes == 1) {
        return lanes_of(i);
    }
    Node& node = nodes_[i];
    if (node.row == kNone) {
        Draft draft;
        draft.phase = phase_of(i);
        draft.in_reset = node.in_reset;
        draft.instruction.k = narrow(spec(i).lanes);
        draft.instruction.lanes = 1;
        draft.args.push_back(lanes_of(i));
        draft.instruction.step = draft.instruction.reset = kernels().rows.pack;
        node.row = emit(std::move(draft));
    }
    return node.row;
}

}  // namespace embody
