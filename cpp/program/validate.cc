#include <cmath>
#include <set>

#include "base/check.h"
#include "program/spec.h"

namespace embody {
namespace {

template <class... Parts>
[[noreturn]] void fail_node(std::size_t index, const NodeSpec& node, const Parts&... parts) {
    fail("node ", index, " (", node.op, "): ", parts...);
}

void check_range(std::size_t index, const NodeSpec& node, const char* what, std::int64_t value,
                 std::int64_t count) {
    if (value < 0 || value >= count) {
        fail_node(index, node, what, ": expected 0 <= index < ", count, ", got ", value);
    }
}

void check_count(std::size_t index, const NodeSpec& node, const char* what, std::int64_t expected,
                 std::size_t got) {
    if (expected != kAny && static_cast<std::size_t>(expected) != got) {
        fail_node(index, node, what, ": expected ", expected, ", got ", got);
    }
}

class NodeChecker {
  public:
    NodeChecker(const ProgramSpec& spec, std::vector<Op>& ops) : spec_(spec), ops_(ops) {}

    void check(std::size_t index) {
        const NodeSpec& node = spec_.nodes[index];
        const std::optional<Op> op = find_op(node.op);
        if (!op) {
            fail("node ", index, ": unknown op '", node.op, "'", op_suggestion(node.op));
        }
        ops_.push_back(*op);
        const OpInfo& row = info(*op);
        if (node.lanes < 1 || node.lanes > kMaxLanes) {
            fail_node(index, node, "lanes: expected 1 to ", kMaxLanes, ", got ", node.lanes);
        }
        check_count(index, node, "number of args", row.args, node.args.size());
        if (row.args == kAny && node.args.empty()) {
            fail_node(index, node, "number of args: expected at least 1, got 0");
        }
        check_count(index, node, "number of ints", row.ints, node.ints.size());
        check_count(index, node, "number of floats", row.floats, node.floats.size());
        for (const std::int64_t arg : node.args) {
            if (arg < 0 || arg >= static_cast<std::int64_t>(index)) {
                fail_node(index, node, "args: expected earlier nodes, got ", arg);
            }
        }
        check_shape(index, node, row);
        check_leaf(index, node, *op);
        check_numbers(index, node, *op);
    }

  private:
    std::int64_t lanes_of(std::int64_t arg) const {
        return spec_.nodes[static_cast<std::size_t>(arg)].lanes;
    }

    void check_shape(std::size_t index, const NodeSpec& node, const OpInfo& row) const {
        std::int64_t total = 0;
        for (std::size_t a = 0; a < node.args.size(); ++a) {
            const std::int64_t arg = node.args[a];
            const std::int64_t got = lanes_of(arg);
            total += got;
            const bool same = got == node.lanes;
            if (row.shape == Shape::elementwise && !same && got != 1) {
                fail_node(index, node, "arg ", arg, ": expected ", node.lanes, " lanes or 1, got ",
                          got);
            }
            if (row.shape == Shape::memory && !same && (a == 0 || got != 1)) {
                fail_node(index, node, "arg ", arg, ": expected ", node.lanes, " lanes, got ", got);
            }
            if (row.shape == Shape::row && (got != 1 || node.lanes != 1)) {
                fail_node(index, node, "expected 1 lane, got ", std::max(got, node.lanes));
            }
        }
        if (row.shape == Shape::reduce) {
            check_reduce(index, node, total);
        }
        if (row.op == Op::kernel &&
            (node.lanes != 1 || node.args.size() > static_cast<std::size_t>(kMaxKernelArgs) ||
             total != static_cast<std::int64_t>(node.args.size()))) {
            fail_node(index, node, "expected 1 to ", kMaxKernelArgs,
                      " args of 1 lane and 1 lane out");
        }
        if (row.shape == Shape::machine) {
            check_machine(index, node, total);
        }
        if (row.op == Op::concat && total != node.lanes) {
            fail_node(index, node, "lanes: expected the sum of the args' lanes ", total, ", got ",
                      node.lanes);
        }
    }

    static void check_reduce(std::size_t index, const NodeSpec& node, std::int64_t total) {
        const std::int64_t k = node.ints[0];
        if (k < 1 || k > kMaxLanes || k * node.lanes != total) {
            fail_node(index, node, "group size: expected lanes * k = ", total, " lanes of arg ",
                      node.args[0], ", got ", node.lanes, " * ", k);
        }
    }

    static void check_machine(std::size_t index, const NodeSpec& node, std::int64_t edges) {
        if (node.lanes != kMachineLanes || edges > kMaxEdges) {
            fail_node(index, node, "expected ", kMachineLanes, " lanes and at most ", kMaxEdges,
                      " edges, got ", node.lanes, " and ", edges);
        }
        check_count(index, node, "number of ints", 3 * edges, node.ints.size());
        for (std::size_t e = 0; e < node.ints.size(); e += 3) {
            check_range(index, node, "stage", node.ints[e], kMaxStages);
            check_range(index, node, "stage", node.ints[e + 1], kMaxStages);
            check_range(index, node, "least steps", node.ints[e + 2], std::int64_t{1} << 31);
        }
    }

    // A slot, then columns up to `end`.
    void check_columns(std::size_t index, const NodeSpec& node, std::size_t end) const {
        check_range(index, node, "input slot", node.ints[0],
                    static_cast<std::int64_t>(spec_.inputs.size()));
        const InputSpec& input = spec_.inputs[static_cast<std::size_t>(node.ints[0])];
        for (std::size_t i = 1; i < end; ++i) {
            check_range(index, node, "input column", node.ints[i], input.width);
        }
    }

    void check_leaf(std::size_t index, const NodeSpec& node, Op op) const {
        if (op == Op::watch) {
            if (node.ints.size() < 3 || node.lanes != 1) {
                fail_node(index, node, "expected a slot, columns, a term id and 1 lane");
            }
            check_columns(index, node, node.ints.size() - 1);
            check_range(index, node, "term id", node.ints.back(), std::int64_t{1} << 31);
        }
        if (op == Op::input) {
            if (node.ints.size() != static_cast<std::size_t>(node.lanes) + 1) {
                fail_node(index, node, "ints: expected a slot and ", node.lanes, " columns, got ",
                          node.ints.size(), " numbers");
            }
            check_columns(index, node, node.ints.size());
        }
        if (op == Op::constant) {
            check_count(index, node, "number of floats", node.lanes, node.floats.size());
        }
        if (op == Op::param || op == Op::gather) {
            check_count(index, node, "number of ints", node.lanes, node.ints.size());
            const std::int64_t limit = op == Op::param
                                           ? static_cast<std::int64_t>(spec_.params.size())
                                           : lanes_of(node.args[0]);
            for (const std::int64_t value : node.ints) {
                check_range(index, node, op == Op::param ? "parameter" : "lane", value, limit);
            }
        }
    }

    void check_numbers(std::size_t index, const NodeSpec& node, Op op) const {
        if (op == Op::prev && (node.ints[0] < 1 || node.ints[0] > kMaxDepth)) {
            fail_node(index, node, "depth: expected 1 to ", kMaxDepth, ", got ", node.ints[0]);
        }
        if (op == Op::lookup &&
            (node.floats.empty() || node.floats.size() > static_cast<std::size_t>(kMaxTable))) {
            fail_node(index, node, "expected 1 to ", kMaxTable, " floats, got ",
                      node.floats.size());
        }
        if (op == Op::episodic_count && (node.ints[0] < 1 || node.ints[0] > kMaxKeys)) {
            fail_node(index, node, "keys: expected 1 to ", kMaxKeys, ", got ", node.ints[0]);
        }
        if (op == Op::flagged && node.lanes != 1) {
            fail_node(index, node, "lanes: expected 1, got ", node.lanes);
        }
        if (op == Op::mark || op == Op::flagged) {
            check_range(index, node, "bits", node.ints[0], std::int64_t{1} << 31);
        }
        if (op == Op::kernel && node.ints[0] == 0) {
            fail_node(index, node, "expected the address of a function, got 0");
        }
        if (op == Op::guard) {
            check_range(index, node, "term id", node.ints[0], std::int64_t{1} << 31);
            if (!(node.floats[0] > 0)) {
                fail_node(index, node, "max_abs: expected more than 0, got ", node.floats[0]);
            }
        }
        if (info(op).shape == Shape::memory && !node.floats.empty() &&
            !std::isfinite(node.floats[0])) {
            fail_node(index, node, "expected a finite number, got ", node.floats[0]);
        }
        if (op == Op::sub64) {
            for (const std::int64_t arg : node.args) {
                if (ops_[static_cast<std::size_t>(arg)] != Op::input) {
                    fail_node(index, node, "arg ", arg, ": expected an input node, got ",
                              spec_.nodes[static_cast<std::size_t>(arg)].op);
                }
            }
        }
    }

    const ProgramSpec& spec_;
    std::vector<Op>& ops_;
};

template <class Named>
void check_named(const char* what, const std::vector<Named>& items) {
    if (items.size() > static_cast<std::size_t>(kMaxTables)) {
        fail(what, "s: expected at most ", kMaxTables, ", got ", items.size());
    }
    std::set<std::string> seen;
    for (const Named& item : items) {
        if (item.width < 0 || item.width > kMaxWidth) {
            fail(what, " '", item.name, "': width: expected 0 to ", kMaxWidth, ", got ",
                 item.width);
        }
        if (!seen.insert(item.name).second) {
            fail(what, " '", item.name, "': the name is used twice");
        }
    }
}

void check_stores(const ProgramSpec& spec) {
    std::vector<std::vector<bool>> taken;
    for (const GroupSpec& group : spec.groups) {
        taken.emplace_back(static_cast<std::size_t>(group.width), false);
    }
    for (std::size_t i = 0; i < spec.stores.size(); ++i) {
        const StoreSpec& store = spec.stores[i];
        if (store.node < 0 || store.node >= static_cast<std::int64_t>(spec.nodes.size())) {
            fail("store ", i, ": node: expected 0 <= index < ", spec.nodes.size(), ", got ",
                 store.node);
        }
        if (store.group < 0 || store.group >= static_cast<std::int64_t>(spec.groups.size())) {
            fail("store ", i, ": group: expected 0 <= index < ", spec.groups.size(), ", got ",
                 store.group);
        }
        const GroupSpec& group = spec.groups[static_cast<std::size_t>(store.group)];
        const std::int64_t lanes = spec.nodes[static_cast<std::size_t>(store.node)].lanes;
        if (store.column < 0 || store.column > group.width - lanes) {
            fail("store ", i, ": group '", group.name, "' has ", group.width, " columns, got ",
                 lanes, " lanes at column ", store.column);
        }
        for (std::int64_t c = store.column; c < store.column + lanes; ++c) {
            std::vector<bool>& columns = taken[static_cast<std::size_t>(store.group)];
            if (columns[static_cast<std::size_t>(c)]) {
                fail("store ", i, ": group '", group.name, "' column ", c, " is stored twice");
            }
            columns[static_cast<std::size_t>(c)] = true;
        }
    }
}

}  // namespace

std::int64_t state_doubles(const NodeSpec& node, Op op) {
    const OpInfo& row = info(op);
    const std::int64_t slots = row.slots == kAny ? node.ints[0] : row.slots;
    return row.shape == Shape::machine ? slots : slots * node.lanes;
}

std::vector<Op> validate(const ProgramSpec& spec) {
    if (spec.nodes.size() > static_cast<std::size_t>(kMaxNodes)) {
        fail("nodes: expected at most ", kMaxNodes, ", got ", spec.nodes.size());
    }
    if (!(std::isfinite(spec.dt) && spec.dt > 0)) {
        fail("dt: expected a finite number of seconds above 0, got ", spec.dt);
    }
    check_named("input", spec.inputs);
    check_named("group", spec.groups);
    std::vector<Op> ops;
    ops.reserve(spec.nodes.size());
    NodeChecker checker(spec, ops);
    std::int64_t state = 0;
    for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
        checker.check(i);
        state += state_doubles(spec.nodes[i], ops[i]);
        if (state > kMaxState) {
            fail("node ", i, " (", spec.nodes[i].op, "): state: expected at most ", kMaxState,
                 " doubles an environment, got ", state);
        }
    }
    check_stores(spec);
    return ops;
}

}  // namespace embody
