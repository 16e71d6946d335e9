#include "program/op.h"

#include <array>
#include <string>
#include <unordered_map>

#include "base/check.h"

namespace embody {
namespace {

constexpr OpInfo unary(std::string_view name, Op op, double cost = 4) {
    return {name, op, Shape::elementwise, 1, 0, 0, 0, cost};
}
constexpr OpInfo binary(std::string_view name, Op op, double cost = 4) {
    return {name, op, Shape::elementwise, 2, 0, 0, 0, cost};
}
constexpr OpInfo reduce(std::string_view name, Op op) {
    return {name, op, Shape::reduce, 1, 1, 0, 0, 8};
}
constexpr OpInfo memory(std::string_view name, Op op, int floats = 0, int slots = 1) {
    return {name, op, Shape::memory, 1, 0, floats, slots, 20};
}

// In the order of the enumeration.
constexpr std::array<OpInfo, kOps> kTable = {{
    {"input", Op::input, Shape::leaf, 0, kAny, 0, 0, 30},
    {"const", Op::constant, Shape::leaf, 0, 0, kAny, 0, 0},
    {"param", Op::param, Shape::leaf, 0, kAny, 0, 0, 0},
    {"gather", Op::gather, Shape::free, 1, kAny, 0, 0, 4},
    {"concat", Op::concat, Shape::free, kAny, 0, 0, 0, 4},
    unary("neg", Op::neg),
    unary("abs", Op::abs),
    unary("sign", Op::sign),
    unary("square", Op::square),
    unary("sqrt", Op::sqrt, 10),
    unary("exp", Op::exp, 20),
    unary("expm1", Op::expm1, 600),
    unary("log", Op::log, 60),
    unary("log1p", Op::log1p, 600),
    unary("tanh", Op::tanh, 40),
    unary("sigmoid", Op::sigmoid, 30),
    unary("sin", Op::sin, 80),
    unary("cos", Op::cos, 80),
    unary("asin", Op::asin, 600),
    unary("acos", Op::acos, 600),
    unary("floor", Op::floor),
    unary("not", Op::logical_not),
    unary("isfinite", Op::isfinite),
    binary("add", Op::add),
    binary("sub", Op::sub),
    binary("mul", Op::mul),
    binary("div", Op::div, 10),
    binary("min", Op::min),
    binary("max", Op::max),
    binary("mod", Op::mod, 20),
    binary("atan2", Op::atan2, 1500),
    binary("pow", Op::pow, 1500),
    binary("lt", Op::lt),
    binary("le", Op::le),
    binary("gt", Op::gt),
    binary("ge", Op::ge),
    binary("eq", Op::eq),
    binary("ne", Op::ne),
    binary("and", Op::logical_and),
    binary("or", Op::logical_or),
    binary("sub64", Op::sub64, 60),
    {"where", Op::where, Shape::elementwise, 3, 0, 0, 0, 5},
    {"lookup", Op::lookup, Shape::elementwise, 1, 0, kAny, 0, 100},
    reduce("sum", Op::sum),
    reduce("prod", Op::prod),
    reduce("rmin", Op::rmin),
    reduce("rmax", Op::rmax),
    reduce("any", Op::any),
    reduce("all", Op::all),
    reduce("mean", Op::mean),
    {"flagged", Op::flagged, Shape::free, kAny, 1, 0, 0, 4},
    {"watch", Op::watch, Shape::leaf, 0, kAny, 0, 0, 60},
    {"guard", Op::guard, Shape::row, 1, 1, 1, 0, 8},
    {"mark", Op::mark, Shape::row, 1, 1, 0, 0, 8},
    {"kernel", Op::kernel, Shape::free, kAny, 1, kAny, 0, 500},
    {"prev", Op::prev, Shape::memory, 1, 1, 0, kAny, 20},
    memory("delta", Op::delta),
    memory("rate", Op::rate),
    memory("ema", Op::ema, 1),
    memory("initial", Op::initial),
    memory("latch", Op::latch),
    memory("hold", Op::hold, 1),
    memory("air_time", Op::air_time),
    memory("contact_time", Op::contact_time),
    memory("first_contact", Op::first_contact),
    memory("last_air_time", Op::last_air_time, 0, 2),
    memory("count_steps", Op::count_steps),
    memory("since", Op::since),
    memory("running_max", Op::running_max),
    memory("running_min", Op::running_min),
    memory("running_mean", Op::running_mean, 0, 2),
    memory("cycle", Op::cycle, 1),
    memory("unwrap", Op::unwrap, 0, 2),
    {"ema_by", Op::ema_by, Shape::memory, 2, 0, 0, 1, 25},
    {"potential", Op::potential, Shape::memory, 3, 0, 0, 1, 25},
    {"episodic_count", Op::episodic_count, Shape::memory, 1, 1, 0, kAny, 300},
    {"machine", Op::machine, Shape::machine, 1, kAny, 0, 2, 1000},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kOps; ++i) {
        if (kTable[i].op != static_cast<Op>(i)) {
            return false;
        }
    }
    return true;
}
static_assert(in_order());

}  // namespace

const OpInfo& info(Op op) { return kTable[static_cast<std::size_t>(op)]; }

std::optional<Op> find_op(std::string_view name) {
    static const std::unordered_map<std::string_view, Op> kOpOf = [] {
        std::unordered_map<std::string_view, Op> ops;
        for (const OpInfo& row : kTable) {
            ops.emplace(row.name, row.op);
        }
        return ops;
    }();
    const auto found = kOpOf.find(name);
    return found == kOpOf.end() ? std::nullopt : std::optional(found->second);
}

std::string op_suggestion(std::string_view wrong) {
    std::array<std::string_view, kOps> names;
    for (std::size_t i = 0; i < kOps; ++i) {
        names[i] = kTable[i].name;
    }
    return suggestion(wrong, names);
}

}  // namespace embody
