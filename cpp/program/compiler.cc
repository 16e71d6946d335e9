#include "program/compiler.h"

#include <algorithm>

#include "base/check.h"
#include "program/kernels.h"
#include "program/layout.h"

namespace embody {

std::vector<std::int32_t> columns_of(const NodeSpec& input) {
    std::vector<std::int32_t> columns;
    const std::size_t end = input.ints.size() - (input.op == "watch" ? 1 : 0);
    for (std::size_t c = 1; c < end; ++c) {
        columns.push_back(narrow(input.ints[c]));
    }
    return columns;
}

Compiler::Compiler(const ProgramSpec& spec, bool sets)
    : spec_(spec), sets_(sets), ops_(validate(spec)), nodes_(spec.nodes.size()) {}

Compiled Compiler::run() {
    settle();
    mark_needed();
    plan();
    drafts_.list.reserve(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].needed && !nodes_[i].absorbed && ops_[i] != Op::input) {
            draft(i);
        }
    }
    emit_guards();
    for (const StoreSpec& store : spec_.stores) {
        const std::int32_t id = lanes_of(static_cast<std::size_t>(store.node));
        drafts_.values[static_cast<std::size_t>(id)].stored = true;
    }
    out_.register_lanes = drafts_.allocate();
    if (out_.register_lanes > kMaxRegisterLanes) {
        fail("nodes: expected at most ", kMaxRegisterLanes, " register lanes in use at once, got ",
             out_.register_lanes);
    }
    make_tables();
    keep_for_sets();
    collect();
    return std::move(out_);
}

void Compiler::settle() {
    std::int64_t slot = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        Node& node = nodes_[i];
        const Op op = ops_[i];
        node.uniform = op == Op::constant || op == Op::param;
        node.of_set = sets_ && op == Op::param;
        const bool pure = !has_memory(i) && !has_effect(i) && op != Op::sub64 && op != Op::kernel &&
                          op != Op::flagged;
        bool uniform = pure && !spec(i).args.empty();
        for (std::size_t a = 0; a < spec(i).args.size(); ++a) {
            uniform = uniform && nodes_[arg(i, a)].uniform;
            node.of_set |= nodes_[arg(i, a)].of_set;
        }
        node.uniform |= uniform;
        node.slot = slot;
        const std::int64_t slots = state_doubles(spec(i), op);
        if (slots > 0) {
            out_.state_nodes.push_back({static_cast<std::int64_t>(i), slot, slots});
        }
        slot += slots;
    }
    out_.state_slots = slot;
}

void Compiler::mark_needed() {
    for (const StoreSpec& store : spec_.stores) {
        Node& node = nodes_[static_cast<std::size_t>(store.node)];
        node.needed = true;
        ++node.uses;
        ++node.stores;
        node.in_reset |= spec_.groups[static_cast<std::size_t>(store.group)].on_reset;
    }
    for (std::size_t i = nodes_.size(); i-- > 0;) {
        Node& node = nodes_[i];
        node.in_reset |= has_memory(i);
        node.needed |= has_memory(i) || has_effect(i);
        for (std::size_t a = 0; node.needed && a < spec(i).args.size(); ++a) {
            Node& from = nodes_[arg(i, a)];
            from.needed = true;
            from.in_reset |= node.in_reset;
            ++from.uses;
        }
    }
}

void Compiler::plan() {
    std::vector<bool> needed(nodes_.size());
    std::vector<bool> uniform(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        needed[i] = nodes_[i].needed;
        uniform[i] = nodes_[i].uniform;
    }
    const bool possible = kernels().rows.input != nullptr;
    pitch_.assign(nodes_.size(), 0);
    takes_rows_.assign(nodes_.size(), false);
    if (possible) {
        RowPlan rows = plan_rows(spec_, ops_, needed, uniform);
        pitch_ = std::move(rows.pitch);
        takes_rows_ = std::move(rows.takes_rows);
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].needed) {
            absorb(i);
        }
    }
    find_columns();
}

// A sum of squares or of absolute values is one instruction, and so are a weighted term and the sum
// that it is added to.
void Compiler::absorb(std::size_t i) {
    const Op op = ops_[i];
    if (takes_rows_[i]) {
        absorb_rows(i);
    } else if (op == Op::sum && !nodes_[i].uniform) {
        Node& from = nodes_[arg(i, 0)];
        const Op inner = ops_[arg(i, 0)];
        from.absorbed = (inner == Op::square || inner == Op::abs) && from.uses == 1;
    }
    nodes_[i].violation = !nodes_[i].absorbed && is_violation(i);
    if (nodes_[i].violation) {
        for (const std::size_t a : {0, 1}) {
            nodes_[arg(i, a)].absorbed = true;
            nodes_[arg(arg(i, a), 0)].absorbed = true;
        }
    } else {
        absorb_terms(i);
    }
    nodes_[i].gauss = is_gauss(i);
    if (nodes_[i].gauss) {
        nodes_[arg(i, 0)].absorbed = true;
        nodes_[arg(arg(i, 0), 0)].absorbed = true;
    }
}

// Whether a node is a product of one lane that only `user` and the caller want.
bool Compiler::is_weighted(std::size_t i, std::size_t user) const {
    const Node& node = nodes_[i];
    return ops_[i] == Op::mul && !node.uniform && node.uses - node.stores == 1 &&
           node.in_reset == nodes_[user].in_reset;
}

// product + product, or such a sum + product.
void Compiler::absorb_terms(std::size_t i) {
    if (ops_[i] != Op::add || spec(i).lanes != 1 || nodes_[i].uniform || arg(i, 0) == arg(i, 1) ||
        !is_weighted(arg(i, 1), i)) {
        return;
    }
    const std::size_t first = arg(i, 0);
    Node& before = nodes_[first];
    if (is_weighted(first, i)) {
        nodes_[i].terms = {first};
    } else if (!before.terms.empty() && before.uses == 1 && before.in_reset == nodes_[i].in_reset) {
        nodes_[i].terms = std::move(before.terms);
    } else {
        return;
    }
    nodes_[i].terms.push_back(arg(i, 1));
    before.absorbed = true;
    nodes_[arg(i, 1)].absorbed = true;
}

bool Compiler::is_zero(std::size_t i) const {
    return ops_[i] == Op::constant && spec(i).floats == std::vector<double>{0.0};
}

bool Compiler::is_single(std::size_t i, Op op) const {
    return ops_[i] == op && nodes_[i].uses == 1 && !nodes_[i].absorbed;
}

// exp(-(x / scale)) over lanes.
bool Compiler::is_gauss(std::size_t i) const {
    if (ops_[i] != Op::exp || nodes_[i].uniform || pitch_[i] > 0 ||
        !is_single(arg(i, 0), Op::neg)) {
        return false;
    }
    return is_single(arg(arg(i, 0), 0), Op::div);
}

bool Compiler::is_violation(std::size_t i) const {
    if (ops_[i] != Op::add || nodes_[i].uniform || arg(i, 0) == arg(i, 1)) {
        return false;
    }
    for (const std::size_t a : {0, 1}) {
        const std::size_t side = arg(i, a);
        if (!is_single(side, Op::max) || !is_zero(arg(side, 1)) ||
            !is_single(arg(side, 0), Op::sub) || spec(side).lanes != spec(i).lanes) {
            return false;
        }
    }
    const std::size_t below = arg(arg(i, 0), 0);
    const std::size_t above = arg(arg(i, 1), 0);
    return arg(below, 1) == arg(above, 0) && spec(arg(below, 1)).lanes == spec(i).lanes;
}

// The columns of every input that are wanted as lanes are loaded together, if they are few.
void Compiler::find_columns() {
    columns_.resize(spec_.inputs.size());
    loaded_.assign(spec_.inputs.size(), kNone);
    slot_in_reset_.assign(spec_.inputs.size(), false);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (ops_[i] == Op::input && nodes_[i].needed) {
            const auto slot = static_cast<std::size_t>(spec(i).ints[0]);
            const std::vector<std::int32_t> own = columns_of(spec(i));
            columns_[slot].insert(columns_[slot].end(), own.begin(), own.end());
            slot_in_reset_[slot] = slot_in_reset_[slot] || nodes_[i].in_reset;
        }
    }
    for (std::vector<std::int32_t>& columns : columns_) {
        std::sort(columns.begin(), columns.end());
        columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    }
}

void Compiler::make_tables() {
    for (const GroupSpec& group : spec_.groups) {
        GroupTable table;
        table.lanes.assign(static_cast<std::size_t>(group.width), kNone);
        table.dtype = group.dtype;
        table.on_reset = group.on_reset;
        out_.tables.push_back(std::move(table));
    }
    for (const StoreSpec& store : spec_.stores) {
        const std::int32_t first = drafts_.lane(lanes_of(static_cast<std::size_t>(store.node)));
        GroupTable& table = out_.tables[static_cast<std::size_t>(store.group)];
        const std::int64_t lanes = spec_.nodes[static_cast<std::size_t>(store.node)].lanes;
        for (std::int64_t c = 0; c < lanes; ++c) {
            table.lanes[static_cast<std::size_t>(store.column + c)] = first + narrow(c);
        }
        out_.block_nanoseconds += 10.0 * static_cast<double>(lanes);
    }
}

// What every set has to bring back before its blocks are run.
void Compiler::keep_for_sets() {
    std::vector<bool> read(drafts_.values.size());   // by some instruction of a set, or stored
    std::vector<bool> whole(drafts_.values.size());  // not by the first row only
    const auto mark = [&](std::int32_t id, bool first_row) {
        const std::int32_t root = drafts_.values[static_cast<std::size_t>(id)].root;
        read[static_cast<std::size_t>(root)] = true;
        if (!first_row) {
            whole[static_cast<std::size_t>(root)] = true;
        }
    };
    for (const Draft& draft : drafts_.list) {
        const bool scales = draft.instruction.step == kernels().weighted_total;
        for (std::size_t a = 0; draft.phase == Phase::block_of_set && a < draft.args.size(); ++a) {
            mark(draft.args[a], scales && a % 2 == 0);
        }
    }
    for (std::size_t v = 0; v < drafts_.values.size(); ++v) {
        if (drafts_.values[v].stored) {
            mark(narrow(static_cast<std::int64_t>(v)), false);
        }
    }
    for (const Draft& draft : drafts_.list) {
        const auto target = static_cast<std::size_t>(draft.target);
        if (draft.phase != Phase::uniform_of_set || !read[target]) {
            continue;
        }
        const bool rows = draft.instruction.step == kernels().rows.spread ||
                          draft.instruction.step == kernels().rows.pack;
        std::vector<std::int32_t>& kept = rows            ? out_.set_rows
                                          : whole[target] ? out_.set_lanes
                                                          : out_.set_firsts;
        for (std::int32_t lane = 0; lane < draft.instruction.lanes; ++lane) {
            kept.push_back(draft.instruction.target + lane);
        }
    }
}

void Compiler::collect() {
    for (Draft& draft : drafts_.list) {
        std::vector<Instruction>& into = out_.phases[static_cast<std::size_t>(draft.phase)];
        if (draft.in_reset) {
            out_.in_reset[static_cast<std::size_t>(draft.phase)].push_back(
                narrow(static_cast<std::int64_t>(into.size())));
        }
        out_.block_nanoseconds += draft.phase >= Phase::block ? draft.cost : 0.0;
        into.push_back(std::move(draft.instruction));
    }
}

}  // namespace embody
