// One instruction, or none, for every node.
#include "program/compiler.h"

#include <cmath>

#include "program/kernels.h"
#include "program/layout.h"

namespace embody {

void Compiler::draft(std::size_t i) {
    const NodeSpec& node = spec(i);
    const Op op = ops_[i];
    if (op == Op::watch ||
        op == Op::flagged) {  // which name a row's fault gets depends on the order
        emit_guards();
    }
    if (op == Op::guard) {
        wait_to_guard(i);
    } else if (op == Op::gather) {
        nodes_[i].lanes =
            is_run(node.ints.data(), node.ints.size())
                ? drafts_.part(lanes_of(arg(i, 0)), narrow(node.ints[0]), narrow(node.lanes))
                : gather(lanes_of(arg(i, 0)), node.ints, i);
    } else if (op == Op::sum && takes_rows_[i]) {
        nodes_[i].lanes = row_sum(i);
    } else if (op == Op::sum && nodes_[arg(i, 0)].absorbed) {
        nodes_[i].lanes = lane_sum(i);
    } else if (nodes_[i].violation) {
        const std::size_t below = arg(arg(i, 0), 0);
        const std::size_t above = arg(arg(i, 1), 0);
        Draft out = with_args(i, {arg(below, 0), arg(below, 1), arg(above, 1)});
        out.instruction.step = out.instruction.reset = kernels().limit_violation;
        (pitch_[i] > 0 ? nodes_[i].rows : nodes_[i].lanes) = emit(std::move(out));
    } else if (nodes_[i].gauss) {
        const std::size_t quotient = arg(arg(i, 0), 0);
        Draft out = with_args(i, {arg(quotient, 0), arg(quotient, 1)});
        out.instruction.step = out.instruction.reset = kernels().gauss;
        nodes_[i].lanes = emit(std::move(out));
    } else if (pitch_[i] > 0) {
        nodes_[i].rows = row_operation(i);
    } else if (!nodes_[i].terms.empty()) {
        nodes_[i].lanes = weighted_sum(i);
    } else {
        nodes_[i].lanes = operation(i);
    }
}

Draft Compiler::begin(std::size_t i) const {
    Draft out;
    out.phase = phase_of(i);
    out.in_reset = nodes_[i].in_reset;
    out.instruction.lanes = narrow(spec(i).lanes);
    out.instruction.slot = nodes_[i].slot;
    set_kernel(out, ops_[i]);
    out.cost = info(ops_[i]).cost * static_cast<double>(spec(i).lanes);
    return out;
}

std::int32_t Compiler::operation(std::size_t i) {
    const NodeSpec& node = spec(i);
    const Op op = ops_[i];
    Draft out = begin(i);
    for (std::size_t a = 0; a < node.args.size(); ++a) {
        const std::size_t from = arg(i, a);
        if (is_listed(i)) {
            for (std::int64_t lane = 0; lane < spec(from).lanes; ++lane) {
                out.args.push_back(lanes_of(from));
                out.instruction.list.push_back(narrow(lane));
            }
            continue;
        }
        out.args.push_back(lanes_of(from));
        out.instruction.strides[a] = spec(from).lanes == node.lanes ? narrow(kBlock) : 0;
        if (reads_raw(i, a)) {
            out.instruction.loads[a] = own_load(from);
        }
    }
    out.instruction.gathers = is_listed(i);
    if (op == Op::watch) {
        const auto slot = static_cast<std::size_t>(node.ints[0]);
        out.instruction.loads[0] = make_load(slot, columns_of(node));
    }
    fill_numbers(i, out.instruction);
    return emit(std::move(out));
}

// An element-wise instruction over lanes or rows; one lane serves all.
Draft Compiler::with_args(std::size_t i, const std::vector<std::size_t>& args) {
    Draft out = begin(i);
    const bool rows = pitch_[i] > 0;
    out.instruction.lanes = rows ? pitch_[i] : narrow(spec(i).lanes);
    for (std::size_t a = 0; a < args.size(); ++a) {
        const bool whole = spec(args[a]).lanes == spec(i).lanes;
        out.args.push_back(rows && whole ? rows_of(args[a]) : lanes_of(args[a]));
        out.instruction.strides[a] = whole ? narrow(kBlock) : 0;
    }
    return out;
}

std::int32_t Compiler::lane_sum(std::size_t i) {
    Draft out = begin(i);
    const std::size_t inner = arg(i, 0);
    out.instruction.k = narrow(spec(i).ints[0]);
    out.instruction.strides[0] = narrow(kBlock);
    out.args.push_back(lanes_of(arg(inner, 0)));
    const bool square = ops_[inner] == Op::square;
    out.instruction.step = out.instruction.reset =
        square ? kernels().sum_square : kernels().sum_abs;
    return emit(std::move(out));
}

// The products are kept where the caller wants them.
std::int32_t Compiler::weighted_sum(std::size_t i) {
    Draft out = begin(i);
    out.instruction.gathers = true;
    bool plain = true;
    for (const std::size_t product : nodes_[i].terms) {
        for (const std::size_t a : {0, 1}) {
            out.args.push_back(lanes_of(arg(product, a)));
            out.instruction.list.push_back(0);
        }
        nodes_[product].lanes =
            nodes_[product].stores > 0 ? drafts_.add_value(1, out.phase) : kNone;
        out.extras.push_back(nodes_[product].lanes);
        plain = plain && nodes_[arg(product, 0)].uniform;
    }
    out.instruction.step = out.instruction.reset =
        plain ? kernels().weighted_total : kernels().weighted_sum;
    return emit(std::move(out));
}

// Neighbouring guards become one instruction once somebody wants the value of one.
void Compiler::wait_to_guard(std::size_t i) {
    const auto alike = [&](std::size_t other) {
        return phase_of(other) == phase_of(i) && nodes_[other].in_reset == nodes_[i].in_reset;
    };
    lanes_of(arg(i, 0));
    if (!waiting_.empty() && !alike(waiting_[0])) {
        emit_guards();
    }
    waiting_.push_back(i);
}

// Whether nobody else wants the value unguarded, and the next block makes it anew.
bool Compiler::guards_in_place(std::size_t i) const {
    const std::size_t from = arg(i, 0);
    const std::int32_t id = nodes_[from].lanes;
    const Value& value = drafts_.values[static_cast<std::size_t>(id)];
    return nodes_[from].uses == 1 && phase_of(from) == phase_of(i) && ops_[from] != Op::input &&
           value.root == id && value.lanes == 1;
}

void Compiler::emit_guards() {
    if (waiting_.empty()) {
        return;
    }
    Draft out = begin(waiting_[0]);
    out.cost *= static_cast<double>(waiting_.size());
    out.instruction.gathers = true;
    out.instruction.list.assign(waiting_.size(), 0);
    for (const std::size_t i : waiting_) {
        const std::int32_t from = nodes_[arg(i, 0)].lanes;
        const bool in_place = guards_in_place(i);
        nodes_[i].lanes = in_place ? drafts_.part(from, 0, 1) : drafts_.add_value(1, out.phase);
        out.args.push_back(from);
        out.extras.push_back(in_place ? kNone : nodes_[i].lanes);
        out.instruction.ids.push_back(narrow(spec(i).ints[0]));
        out.instruction.values.push_back(static_cast<float>(spec(i).floats[0]));
    }
    waiting_.clear();
    drafts_.list.push_back(std::move(out));
}

void Compiler::fill_numbers(std::size_t i, Instruction& out) const {
    const NodeSpec& node = spec(i);
    const Op op = ops_[i];
    const Shape shape = info(op).shape;
    for (const double number : node.floats) {
        out.values.push_back(static_cast<float>(number));
    }
    const bool whole = op == Op::param || op == Op::machine;
    for (std::size_t p = 0; whole && p < node.ints.size(); ++p) {
        out.list.push_back(narrow(node.ints[p]));
    }
    if (shape == Shape::reduce || shape == Shape::row || info(op).slots == kAny ||
        op == Op::watch || op == Op::flagged) {
        out.k = narrow(op == Op::watch ? node.ints.back() : node.ints[0]);
    }
    if (op == Op::kernel) {
        out.custom = reinterpret_cast<Custom>(static_cast<std::uintptr_t>(node.ints[0]));
    }
    if (shape == Shape::memory) {
        out.number = node.floats.empty() ? 0.0 : node.floats[0];
    }
    if (op == Op::ema) {
        const double tau = node.floats[0];
        out.number = tau > 0 ? -std::expm1(-spec_.dt / tau) : 1.0;
    }
    if (op == Op::hold) {
        out.number = std::ceil(node.floats[0] / spec_.dt - 1e-9);
    }
}

}  // namespace embody
