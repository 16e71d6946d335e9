#include "program/draft.h"

#include <algorithm>

#include "program/registers.h"

namespace embody {

std::int32_t Drafts::add_value(std::int32_t lanes, Phase phase) {
    Value value;
    value.lanes = lanes;
    value.root = static_cast<std::int32_t>(values.size());
    value.phase = phase;
    values.push_back(value);
    return value.root;
}

std::int32_t Drafts::part(std::int32_t of, std::int32_t offset, std::int32_t lanes) {
    Value value = values[static_cast<std::size_t>(of)];
    value.lanes = lanes;
    value.offset += offset;
    values.push_back(value);
    return static_cast<std::int32_t>(values.size()) - 1;
}

void Drafts::find_last_uses() {
    const auto end = static_cast<std::int32_t>(list.size());
    const auto use = [this](std::int32_t id, std::int32_t at) {
        const auto root = static_cast<std::size_t>(values[static_cast<std::size_t>(id)].root);
        values[root].last_use = std::max(values[root].last_use, at);
    };
    for (std::int32_t i = 0; i < end; ++i) {
        const Draft& draft = list[static_cast<std::size_t>(i)];
        for (const std::int32_t arg : draft.args) {
            // What another set of parameters will read again may not be overwritten.
            const Phase made = values[static_cast<std::size_t>(arg)].phase;
            const bool kept = draft.phase == Phase::block_of_set && made == Phase::block;
            use(arg, kept ? end : i);
        }
        if (draft.target >= 0) {
            use(draft.target, i);
        }
        for (const std::int32_t extra : draft.extras) {
            if (extra >= 0) {
                use(extra, i);
            }
        }
    }
    for (const Value& value : values) {
        if (value.stored || value.phase == Phase::uniform || value.phase == Phase::uniform_of_set) {
            use(value.root, end);
        }
    }
}

std::int32_t Drafts::lane(std::int32_t id) const {
    const Value& value = values[static_cast<std::size_t>(id)];
    return values[static_cast<std::size_t>(value.root)].lane + value.offset;
}

void Drafts::finish(Draft& draft) const {
    Instruction& out = draft.instruction;
    out.target = draft.target < 0 ? -1 : lane(draft.target);
    for (const std::int32_t extra : draft.extras) {
        out.extras.push_back(extra < 0 ? -1 : lane(extra));
    }
    const bool listed = out.gathers;
    for (std::size_t a = 0; a < draft.args.size(); ++a) {
        (listed ? out.list[a] : out.args[a]) = lane(draft.args[a]) + (listed ? out.list[a] : 0);
    }
}

std::int64_t Drafts::allocate() {
    std::stable_sort(list.begin(), list.end(),
                     [](const Draft& a, const Draft& b) { return a.phase < b.phase; });
    find_last_uses();
    std::vector<std::vector<std::size_t>> dying(list.size() + 1);
    for (std::size_t v = 0; v < values.size(); ++v) {
        if (values[v].root == static_cast<std::int32_t>(v)) {
            dying[static_cast<std::size_t>(values[v].last_use)].push_back(v);
        }
    }
    Registers registers;
    const auto take = [&](std::int32_t id) {
        Value& value = values[static_cast<std::size_t>(id)];
        value.lane = registers.take(value.lanes);
    };
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i].target >= 0) {
            take(list[i].target);
        }
        for (const std::int32_t extra : list[i].extras) {
            if (extra >= 0) {
                take(extra);
            }
        }
        finish(list[i]);
        for (const std::size_t dead : dying[i]) {
            if (values[dead].lane >= 0) {
                registers.give_back(values[dead].lane, values[dead].lanes);
            }
        }
    }
    return registers.high_water();
}

}  // namespace embody
