#include "program/layout.h"

namespace embody {
namespace {

// Below this width a transposition of the columns costs no more than rows would.
constexpr std::int64_t kNarrow = 5;

class RowPlanner {
  public:
    RowPlanner(const ProgramSpec& spec, const std::vector<Op>& ops, const std::vector<bool>& needed,
               const std::vector<bool>& uniform)
        : spec_(spec), ops_(ops), needed_(needed), uniform_(uniform), able_(ops.size()) {
        refused_.assign(ops.size(), false);
    }

    RowPlan run() {
        while (!attempt()) {
        }
        return std::move(out_);
    }

  private:
    // False when a value turned out to be wanted in both ways, which only leaves can be; it stays
    // with lanes then.
    bool attempt() {
        const std::size_t n = ops_.size();
        out_ = {std::vector<std::int32_t>(n, 0), std::vector<bool>(n)};
        rows_wanted_.assign(n, false);
        lanes_wanted_.assign(n, false);
        for (std::size_t i = 0; i < n; ++i) {
            able_[i] = !refused_[i] && can_be_rows(i);
        }
        for (const StoreSpec& store : spec_.stores) {
            lanes_wanted_[static_cast<std::size_t>(store.node)] = true;
        }
        for (std::size_t i = n; i-- > 0;) {
            if (needed_[i]) {
                place(i);
            }
        }
        bool settled = true;
        for (std::size_t i = 0; i < n; ++i) {
            if (!is_leaf(i) && rows_wanted_[i] && lanes_wanted_[i]) {
                refused_[i] = true;
                settled = false;
            }
        }
        return settled;
    }

    const NodeSpec& node(std::size_t i) const { return spec_.nodes[i]; }
    std::size_t arg(std::size_t i, std::size_t a) const {
        return static_cast<std::size_t>(node(i).args[a]);
    }
    bool is_leaf(std::size_t i) const { return uniform_[i] || ops_[i] == Op::input; }

    bool can_be_rows(std::size_t i) const {
        const std::int64_t lanes = node(i).lanes;
        if (lanes < kNarrow || lanes > kMaxRowLanes) {
            return false;
        }
        if (is_leaf(i)) {
            return uniform_[i] || is_run(node(i).ints.data() + 1, node(i).ints.size() - 1);
        }
        bool able = info(ops_[i]).shape == Shape::elementwise && ops_[i] != Op::lookup;
        for (std::size_t a = 0; able && a < node(i).args.size(); ++a) {
            const std::size_t from = arg(i, a);
            able = able_[from] || (uniform_[from] && node(from).lanes == 1);
        }
        return able;
    }

    // Users come first, so that it is known by now whether any of them wants lanes.
    void place(std::size_t i) {
        const bool sums =
            !uniform_[i] && ops_[i] == Op::sum && node(i).lanes == 1 && able_[arg(i, 0)];
        const bool rows = able_[i] && !is_leaf(i) && !lanes_wanted_[i] && rows_wanted_[i];
        if (rows) {
            out_.pitch[i] = row_pitch(node(i).lanes);
        }
        out_.takes_rows[i] = sums;
        for (std::size_t a = 0; a < node(i).args.size(); ++a) {
            const std::size_t from = arg(i, a);
            const bool as_rows = (sums || rows) && able_[from];
            (as_rows ? rows_wanted_ : lanes_wanted_)[from] = true;
        }
    }

    const ProgramSpec& spec_;
    const std::vector<Op>& ops_;
    const std::vector<bool>& needed_;
    const std::vector<bool>& uniform_;
    std::vector<bool> able_;
    std::vector<bool> refused_;
    std::vector<bool> rows_wanted_;   // by some user
    std::vector<bool> lanes_wanted_;  // by some user, or by the caller
    RowPlan out_;
};

}  // namespace

bool is_run(const std::int64_t* columns, std::size_t count) {
    for (std::size_t i = 1; i < count; ++i) {
        if (columns[i] != columns[0] + static_cast<std::int64_t>(i)) {
            return false;
        }
    }
    return true;
}

RowPlan plan_rows(const ProgramSpec& spec, const std::vector<Op>& ops,
                  const std::vector<bool>& needed, const std::vector<bool>& uniform) {
    return RowPlanner(spec, ops, needed, uniform).run();
}

}  // namespace embody
