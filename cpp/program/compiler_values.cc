// Where the values of nodes come from: the caller's arrays, registers, parts of other values.
#include "program/compiler.h"

#include <algorithm>

#include "base/check.h"
#include "program/kernels.h"
#include "program/layout.h"

namespace embody {
namespace {

constexpr std::int64_t kMergedColumns = 16;  // more would keep registers that few need

std::vector<Run> runs_of(const std::vector<std::int32_t>& columns, std::int32_t width) {
    std::vector<Run> runs;
    for (std::size_t lane = 0; lane < columns.size();) {
        std::size_t take = 1;
        while (take < 4 && lane + take < columns.size() &&
               columns[lane + take] == columns[lane] + narrow(static_cast<std::int64_t>(take))) {
            ++take;
        }
        Run run;
        run.narrow = width < 4;
        run.column = run.narrow ? columns[lane] : std::min(columns[lane], width - 4);
        run.skip = columns[lane] - run.column;
        run.take = narrow(static_cast<std::int64_t>(take));
        run.lane = narrow(static_cast<std::int64_t>(lane));
        runs.push_back(run);
        lane += take;
    }
    return runs;
}

}  // namespace

Phase Compiler::phase_of(std::size_t i) const {
    const Node& node = nodes_[i];
    if (node.uniform) {
        return node.of_set ? Phase::uniform_of_set : Phase::uniform;
    }
    return node.of_set ? Phase::block_of_set : Phase::block;
}

std::int32_t Compiler::lanes_of(std::size_t i) {
    if (nodes_[i].lanes == kNone && ops_[i] == Op::guard) {
        emit_guards();
    }
    if (nodes_[i].lanes == kNone) {
        if (ops_[i] != Op::input) {
            fail("node ", i, ": expected to be computed before it is used");
        }
        nodes_[i].lanes = input_lanes(i);
    }
    return nodes_[i].lanes;
}

std::int32_t Compiler::input_lanes(std::size_t i) {
    const auto slot = static_cast<std::size_t>(spec(i).ints[0]);
    const std::vector<std::int32_t> own = columns_of(spec(i));
    const std::vector<std::int32_t>& all = columns_[slot];
    if (static_cast<std::int64_t>(all.size()) > kMergedColumns) {
        return load_lanes(slot, own, nodes_[i].in_reset);
    }
    if (loaded_[slot] == kNone) {
        loaded_[slot] = load_lanes(slot, all, slot_in_reset_[slot]);
    }
    std::vector<std::int64_t> places;
    for (const std::int32_t column : own) {
        places.push_back(std::lower_bound(all.begin(), all.end(), column) - all.begin());
    }
    if (is_run(places.data(), places.size())) {
        return drafts_.part(loaded_[slot], narrow(places[0]), narrow(spec(i).lanes));
    }
    return gather(loaded_[slot], places, i);
}

std::int32_t Compiler::load_lanes(std::size_t slot, const std::vector<std::int32_t>& columns,
                                  bool in_reset) {
    Draft draft;
    draft.in_reset = in_reset;
    draft.instruction.lanes = narrow(static_cast<std::int64_t>(columns.size()));
    draft.instruction.loads[0] = make_load(slot, columns);
    set_kernel(draft, Op::input);
    draft.cost = info(Op::input).cost * static_cast<double>(columns.size());
    return emit(std::move(draft));
}

std::int32_t Compiler::gather(std::int32_t from, const std::vector<std::int64_t>& lanes,
                              std::size_t i) {
    Draft draft;
    draft.phase = phase_of(i);
    draft.in_reset = nodes_[i].in_reset;
    draft.instruction.lanes = narrow(static_cast<std::int64_t>(lanes.size()));
    draft.instruction.gathers = true;
    for (const std::int64_t lane : lanes) {
        draft.instruction.list.push_back(narrow(lane));
        draft.args.push_back(from);
    }
    set_kernel(draft, Op::gather);
    draft.cost = info(Op::gather).cost * static_cast<double>(lanes.size());
    return emit(std::move(draft));
}

const Load* Compiler::own_load(std::size_t i) {
    return make_load(static_cast<std::size_t>(spec(i).ints[0]), columns_of(spec(i)));
}

const Load* Compiler::make_load(std::size_t slot, std::vector<std::int32_t> columns) {
    auto load = std::make_unique<Load>();
    load->slot = narrow(static_cast<std::int64_t>(slot));
    load->columns = std::move(columns);
    load->runs = runs_of(load->columns, narrow(spec_.inputs[slot].width));
    out_.loads.push_back(std::move(load));
    return out_.loads.back().get();
}

void Compiler::set_kernel(Draft& draft, Op op) {
    draft.instruction.step = kernels().step[static_cast<std::size_t>(op)];
    draft.instruction.reset = kernels().reset[static_cast<std::size_t>(op)];
}

std::int32_t Compiler::emit(Draft draft) {
    draft.target = drafts_.add_value(draft.instruction.lanes, draft.phase);
    drafts_.list.push_back(std::move(draft));
    return drafts_.list.back().target;
}

}  // namespace embody
