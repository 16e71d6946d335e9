// The operations of a program: names, arities and what each needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace embody {

enum class Op : std::uint8_t {
    input,
    constant,
    param,
    gather,
    concat,
    neg,
    abs,
    sign,
    square,
    sqrt,
    exp,
    expm1,
    log,
    log1p,
    tanh,
    sigmoid,
    sin,
    cos,
    asin,
    acos,
    floor,
    logical_not,
    isfinite,
    add,
    sub,
    mul,
    div,
    min,
    max,
    mod,
    atan2,
    pow,
    lt,
    le,
    gt,
    ge,
    eq,
    ne,
    logical_and,
    logical_or,
    sub64,
    where,
    lookup,
    sum,
    prod,
    rmin,
    rmax,
    any,
    all,
    mean,
    flagged,
    watch,
    guard,
    mark,
    kernel,
    prev,
    delta,
    rate,
    ema,
    initial,
    latch,
    hold,
    air_time,
    contact_time,
    first_contact,
    last_air_time,
    count_steps,
    since,
    running_max,
    running_min,
    running_mean,
    cycle,
    unwrap,
    ema_by,
    potential,
    episodic_count,
    machine,
    count_
};

inline constexpr std::size_t kOps = static_cast<std::size_t>(Op::count_);

// How the lanes of the arguments relate to the lanes of the node.
enum class Shape : std::uint8_t {
    leaf,         // no argument
    free,         // gather, concat, flagged, kernel: checked by hand
    elementwise,  // every argument has the node's lanes or one
    reduce,       // the argument has k times the node's lanes
    row,          // guard, mark: one lane
    memory,   // state per environment; the first argument has the node's lanes, others may have one
    machine,  // state per environment; the argument has one lane an edge
};

inline constexpr int kAny = -1;

struct OpInfo {
    std::string_view name;
    Op op;
    Shape shape;
    int args;     // how many arguments, or kAny
    int ints;     // how many integers, or kAny
    int floats;   // how many floats, or kAny
    int slots;    // doubles of state a lane, or kAny: as many as the first integer says
    double cost;  // rough nanoseconds for one lane of 64 rows
};

const OpInfo& info(Op op);
std::optional<Op> find_op(std::string_view name);

// ", did you mean ...?" for an unknown operation.
std::string op_suggestion(std::string_view wrong);

}  // namespace embody
