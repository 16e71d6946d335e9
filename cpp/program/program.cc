#include "program/program.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "program/kernels.h"
#include "program/registers.h"

namespace embody {
namespace {

constexpr std::int32_t kNone = -1;

bool is_run(const std::vector<std::int64_t>& ints) {
    for (std::size_t i = 1; i < ints.size(); ++i) {
        if (ints[i] != ints[0] + static_cast<std::int64_t>(i)) {
            return false;
        }
    }
    return true;
}

// Operations of any number of arguments have them in a list.
bool is_listed(Op op) { return op == Op::concat || op == Op::kernel || op == Op::flagged; }

std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

}  // namespace

// From the validated list of nodes to instructions: liveness, aliases, registers, emission.
class Compiler {
  public:
    Compiler(const ProgramSpec& spec, Program& out)
        : spec_(spec), out_(out), ops_(validate(spec)), nodes_(spec.nodes.size()) {}

    void run() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            settle(i);
        }
        mark_needed();
        find_last_uses();
        find_state();
        for (const bool uniform : {true, false}) {
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                if (nodes_[i].needed && nodes_[i].uniform == uniform) {
                    emit(i);
                }
            }
        }
        make_tables();
        out_.register_lanes_ = registers_.high_water();
        if (out_.register_lanes_ > kMaxRegisterLanes) {
            fail("nodes: expected at most ", kMaxRegisterLanes,
                 " register lanes in use at once, got ", out_.register_lanes_);
        }
    }

  private:
    struct Node {
        std::size_t root = 0;       // the node whose registers hold the lanes
        std::int32_t offset = 0;    // first lane in the root
        std::size_t last_use = 0;   // of the root
        std::int32_t lane = kNone;  // register
        std::int64_t slot = 0;      // first row of the state
        bool needed = false;        // by a store, a guard or an operation with memory
        bool in_reset = false;      // also by a reset
        bool uniform = false;       // depends on constants and parameters only
        const Load* load = nullptr;
    };

    bool has_memory(std::size_t i) const {
        const Shape shape = info(ops_[i]).shape;
        return shape == Shape::memory || shape == Shape::machine;
    }

    // Guards and marks write flags, so they run whether or not anything reads them.
    bool has_effect(std::size_t i) const {
        return ops_[i] == Op::guard || ops_[i] == Op::mark || ops_[i] == Op::watch;
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

    // A slice of neighbouring lanes is a view of its argument; pure operations on uniform values
    // are uniform.
    void settle(std::size_t i) {
        Node& node = nodes_[i];
        node.root = i;
        const Op op = ops_[i];
        if (op == Op::gather && is_run(spec(i).ints)) {
            const Node& from = nodes_[arg(i, 0)];
            node.root = from.root;
            node.offset = from.offset + narrow(spec(i).ints[0]);
        }
        node.uniform = op == Op::constant || op == Op::param;
        if (!spec(i).args.empty() && !has_memory(i) && !has_effect(i) && op != Op::sub64 &&
            op != Op::kernel && op != Op::flagged) {
            node.uniform = true;
            for (std::size_t a = 0; a < spec(i).args.size(); ++a) {
                node.uniform = node.uniform && nodes_[arg(i, a)].uniform;
            }
        }
    }

    void mark_needed() {
        for (const StoreSpec& store : spec_.stores) {
            Node& node = nodes_[static_cast<std::size_t>(store.node)];
            node.needed = true;
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
            }
        }
    }

    void find_last_uses() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (!nodes_[i].needed) {
                continue;
            }
            nodes_[nodes_[i].root].last_use = std::max(nodes_[nodes_[i].root].last_use, i);
            for (std::size_t a = 0; a < spec(i).args.size(); ++a) {
                nodes_[nodes_[arg(i, a)].root].last_use = i;
            }
        }
        for (const StoreSpec& store : spec_.stores) {
            const std::size_t root = nodes_[static_cast<std::size_t>(store.node)].root;
            nodes_[root].last_use = nodes_.size();
        }
        // Uniform values are made once a call, so no block may overwrite them.
        for (Node& node : nodes_) {
            node.last_use = node.uniform ? nodes_.size() : node.last_use;
        }
        dying_.resize(nodes_.size() + 1);
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (nodes_[i].root == i) {
                dying_[nodes_[i].last_use].push_back(i);
            }
        }
    }

    void find_state() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            nodes_[i].slot = out_.state_slots_;
            out_.state_slots_ += state_doubles(spec(i), ops_[i]);
        }
    }

    void emit(std::size_t i) {
        Node& node = nodes_[i];
        if (ops_[i] == Op::input || ops_[i] == Op::watch) {
            node.load = make_load(spec(i));
        }
        if (node.root != i) {
            node.lane = nodes_[node.root].lane + node.offset;
        } else {
            node.lane = registers_.take(narrow(spec(i).lanes));
            push(i, make(i));
        }
        for (const std::size_t dead : dying_[i]) {
            if (nodes_[dead].lane != kNone && !nodes_[dead].uniform) {
                registers_.give_back(nodes_[dead].lane, narrow(spec(dead).lanes));
            }
        }
    }

    void push(std::size_t i, Instruction instruction) {
        if (nodes_[i].uniform) {
            out_.prologue_.push_back(std::move(instruction));
            return;
        }
        if (nodes_[i].in_reset) {
            out_.reset_body_.push_back(narrow(static_cast<std::int64_t>(out_.body_.size())));
        }
        out_.block_nanoseconds_ += info(ops_[i]).cost * static_cast<double>(spec(i).lanes);
        out_.body_.push_back(std::move(instruction));
    }

    const Load* make_load(const NodeSpec& node) {
        auto load = std::make_unique<Load>();
        load->slot = narrow(node.ints[0]);
        const std::size_t end = node.ints.size() - (node.op == "watch" ? 1 : 0);
        for (std::size_t c = 1; c < end; ++c) {
            load->columns.push_back(narrow(node.ints[c]));
        }
        out_.loads_.push_back(std::move(load));
        return out_.loads_.back().get();
    }

    Instruction make(std::size_t i) const {
        const NodeSpec& node = spec(i);
        const Op op = ops_[i];
        Instruction out;
        out.step = kernels().step[static_cast<std::size_t>(op)];
        out.reset = kernels().reset[static_cast<std::size_t>(op)];
        out.target = nodes_[i].lane;
        out.lanes = narrow(node.lanes);
        out.slot = nodes_[i].slot;
        const bool listed = is_listed(op);
        for (std::size_t a = 0; !listed && a < node.args.size(); ++a) {
            const std::size_t from = arg(i, a);
            out.args[a] = nodes_[from].lane;
            out.strides[a] = spec(from).lanes == node.lanes ? narrow(kBlock) : 0;
            if (reads_raw(i, a)) {
                out.loads[a] = nodes_[from].load;
            }
        }
        if (op == Op::input || op == Op::watch) {
            out.loads[0] = nodes_[i].load;
        }
        fill_lists(i, out);
        fill_numbers(node, op, out);
        return out;
    }

    void fill_lists(std::size_t i, Instruction& out) const {
        const NodeSpec& node = spec(i);
        for (const double value : node.floats) {
            out.values.push_back(static_cast<float>(value));
        }
        if (ops_[i] == Op::param || ops_[i] == Op::machine) {
            for (const std::int64_t index : node.ints) {
                out.list.push_back(narrow(index));
            }
        }
        if (ops_[i] == Op::gather) {
            for (const std::int64_t lane : node.ints) {
                out.list.push_back(nodes_[arg(i, 0)].lane + narrow(lane));
            }
        }
        const bool listed = is_listed(ops_[i]);
        for (std::size_t a = 0; listed && a < node.args.size(); ++a) {
            const std::size_t from = arg(i, a);
            for (std::int64_t lane = 0; lane < spec(from).lanes; ++lane) {
                out.list.push_back(nodes_[from].lane + narrow(lane));
            }
        }
    }

    void fill_numbers(const NodeSpec& node, Op op, Instruction& out) const {
        const Shape shape = info(op).shape;
        if (shape == Shape::reduce || shape == Shape::row || info(op).slots == kAny ||
            op == Op::watch || op == Op::flagged) {
            out.k = narrow(op == Op::watch ? node.ints.back() : node.ints[0]);
        }
        if (op == Op::kernel) {
            out.custom = reinterpret_cast<Custom>(static_cast<std::uintptr_t>(node.ints[0]));
        }
        if (shape == Shape::memory || op == Op::guard) {
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

    void make_tables() {
        for (const GroupSpec& group : spec_.groups) {
            GroupTable table;
            table.lanes.assign(static_cast<std::size_t>(group.width), kNone);
            table.dtype = group.dtype;
            table.on_reset = group.on_reset;
            out_.tables_.push_back(std::move(table));
        }
        for (const StoreSpec& store : spec_.stores) {
            const Node& node = nodes_[static_cast<std::size_t>(store.node)];
            GroupTable& table = out_.tables_[static_cast<std::size_t>(store.group)];
            const std::int64_t lanes = spec_.nodes[static_cast<std::size_t>(store.node)].lanes;
            for (std::int64_t c = 0; c < lanes; ++c) {
                table.lanes[static_cast<std::size_t>(store.column + c)] = node.lane + narrow(c);
            }
            out_.block_nanoseconds_ += 20.0 * static_cast<double>(lanes);
        }
    }

    const ProgramSpec& spec_;
    Program& out_;
    std::vector<Op> ops_;
    std::vector<Node> nodes_;
    std::vector<std::vector<std::size_t>> dying_;
    Registers registers_;
};

Program::Program(ProgramSpec spec) : dt_(spec.dt) {
    Compiler(spec, *this).run();
    inputs_ = std::move(spec.inputs);
    groups_ = std::move(spec.groups);
    params_ = std::move(spec.params);
}

}  // namespace embody
