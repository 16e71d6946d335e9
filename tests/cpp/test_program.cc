#include <algorithm>
#include <limits>
#include <random>

#include "check.h"
#include "program/log.h"

namespace embody {
namespace {

constexpr std::int64_t kWidth = 11;

NodeSpec node(std::string op, std::vector<std::int64_t> args, std::int64_t lanes,
              std::vector<std::int64_t> ints = {}, std::vector<double> floats = {}) {
    return {std::move(op), std::move(args), lanes, std::move(ints), std::move(floats)};
}

NodeSpec whole_input(std::int64_t slot) {
    std::vector<std::int64_t> ints = {slot};
    for (std::int64_t c = 0; c < kWidth; ++c) {
        ints.push_back(c);
    }
    return node("input", {}, kWidth, std::move(ints));
}

void add_rows(const float* const* in, float* out, std::int64_t n, const float* constants) {
    for (std::int64_t i = 0; i < n; ++i) {
        out[i] = in[0][i] + constants[0] * in[1][i];
    }
}

// Every operation over two inputs of 11 columns; each node is stored to a group of its own.
ProgramSpec everything() {
    ProgramSpec spec;
    spec.dt = 0.02;
    spec.params = {0.5F};
    spec.inputs = {{"x", kWidth}, {"y", kWidth}};
    spec.nodes = {whole_input(0), whole_input(1), node("param", {}, 1, {0}),
                  node("const", {}, 1, {}, {2.0})};
    for (int i = 0; i < static_cast<int>(kOps); ++i) {
        const OpInfo& row = info(static_cast<Op>(i));
        std::vector<std::int64_t> args;
        for (int a = 0; a < row.args; ++a) {
            args.push_back(a % 2);
        }
        const std::string name(row.name);
        if (row.shape == Shape::elementwise) {
            spec.nodes.push_back(node(
                name, args, kWidth, {},
                row.floats == kAny ? std::vector<double>{0.5, 1.0, 2.0} : std::vector<double>{}));
        } else if (row.shape == Shape::reduce) {
            spec.nodes.push_back(node(name, args, 1, {kWidth}));
        } else if (row.shape == Shape::memory) {
            const std::vector<std::int64_t> depth =
                row.slots == kAny ? std::vector<std::int64_t>{3} : std::vector<std::int64_t>{};
            spec.nodes.push_back(
                node(name, args, kWidth, depth,
                     std::vector<double>(static_cast<std::size_t>(row.floats), 0.1)));
        }
    }
    spec.nodes.push_back(node("gather", {0}, 3, {10, 0, 5}));
    spec.nodes.push_back(node("gather", {0}, 1, {4}));
    const auto last = static_cast<std::int64_t>(spec.nodes.size()) - 1;
    spec.nodes.push_back(node("concat", {last - 1, last, 2, 3}, 6));
    spec.nodes.push_back(node("guard", {last}, 1, {7}, {2.0}));
    spec.nodes.push_back(node("watch", {}, 1, {1, 0, 1, 2, 5, 10, 8}));
    spec.nodes.push_back(node("mark", {last}, 1, {16}));
    spec.nodes.push_back(node("flagged", {last + 1, last + 2}, 1, {1}));
    const auto address = reinterpret_cast<std::intptr_t>(&add_rows);
    spec.nodes.push_back(node("kernel", {last, 2}, 1, {address}, {0.25}));
    std::vector<std::int64_t> edges;
    for (std::int64_t e = 0; e < kWidth; ++e) {
        edges.insert(edges.end(), {e % 4, (e + 1) % 4, e % 3});
    }
    spec.nodes.push_back(node("machine", {0}, kMachineLanes, edges));
    for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
        const auto index = static_cast<std::int64_t>(i);
        const bool flag = i % 5 == 0;
        spec.groups.push_back(
            {std::to_string(i), spec.nodes[i].lanes, flag ? DType::u1 : DType::f4, i % 2 == 0});
        spec.stores.push_back({index, index, 0});
    }
    return spec;
}

// Arrays of exactly the size needed, so that the address sanitizer sees a read or write past them.
struct Arrays {
    Arrays(const Program& program, std::int64_t rows)
        : n(rows), x(cells(kWidth)), y(cells(kWidth)), flags(cells(1)), bad_term(cells(1)) {
        for (const GroupSpec& group : program.groups()) {
            outputs.emplace_back(cells(group.width) *
                                 (group.dtype == DType::f4 ? sizeof(float) : 1));
        }
    }

    std::size_t cells(std::int64_t width) const { return static_cast<std::size_t>(n * width); }

    void fill(unsigned seed) {
        std::mt19937 random(seed);
        std::normal_distribution<double> normal;
        constexpr double kEdges[] = {0.0,
                                     -0.0,
                                     1e-45,
                                     1e-38,
                                     1e30,
                                     -1e30,
                                     std::numeric_limits<double>::infinity(),
                                     std::numeric_limits<double>::quiet_NaN()};
        const auto draw = [&] {
            return random() % 8 == 0 ? kEdges[random() % 8] : 3 * normal(random);
        };
        std::generate(x.begin(), x.end(), draw);
        std::generate(y.begin(), y.end(), [&] { return static_cast<float>(draw()); });
    }

    Bindings bind(const Program& program) {
        Bindings out;
        const auto view = [](const auto& values, DType dtype) {
            return InputView{
                reinterpret_cast<const std::byte*>(values.data()),
                static_cast<std::ptrdiff_t>(kWidth * static_cast<std::int64_t>(sizeof(values[0]))),
                kWidth, dtype};
        };
        out.inputs = {view(x, DType::f8), view(y, DType::f4)};
        for (std::size_t g = 0; g < outputs.size(); ++g) {
            const GroupSpec& group = program.groups()[g];
            const std::int64_t size = group.dtype == DType::f4 ? sizeof(float) : 1;
            out.outputs.push_back(
                {outputs[g].data(), static_cast<std::ptrdiff_t>(group.width * size), group.width});
        }
        out.params = program.params().data();
        out.flags = flags.data();
        out.bad_term = bad_term.data();
        return out;
    }

    std::int64_t n;
    std::vector<double> x;
    std::vector<float> y;
    std::vector<std::uint32_t> flags;
    std::vector<std::int32_t> bad_term;
    std::vector<std::vector<std::byte>> outputs;
};

// All bytes written by a reset, two steps, a reset of every third row and another step.
std::vector<std::byte> run(std::int64_t n, int threads) {
    const Program program(everything());
    State state(program, n);
    Arrays arrays(program, n);
    Evaluator evaluator(program, state, arrays.bind(program), threads);
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(n), 1);
    arrays.fill(1);
    evaluator.reset(mask.data());
    for (const unsigned seed : {2U, 3U}) {
        arrays.fill(seed);
        evaluator.step();
    }
    for (std::size_t r = 0; r < mask.size(); ++r) {
        mask[r] = r % 3 == 0 ? 1 : 0;
    }
    evaluator.reset(mask.data());
    evaluator.step();
    std::vector<std::byte> out;
    for (const auto& bytes : arrays.outputs) {
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    return out;
}

// All bytes of a log of four steps, in which some rows start anew, for `sets` sets of parameters.
std::vector<std::byte> run_log(std::int64_t n, int threads, std::int64_t sets) {
    constexpr std::int64_t kSteps = 4;
    const Program program(everything(), sets > 1);
    Arrays arrays(program, n * kSteps);
    arrays.fill(5);
    std::vector<float> params;
    for (std::int64_t set = 0; set < sets; ++set) {
        params.push_back(0.5F + static_cast<float>(set));
    }
    std::vector<std::uint8_t> resets(static_cast<std::size_t>(n * kSteps), 0);
    for (std::size_t i = 0; i < resets.size(); ++i) {
        resets[i] = static_cast<std::int64_t>(i) < n || i % 7 == 0 ? 1 : 0;
    }
    Log log;
    log.steps = kSteps;
    log.rows = n;
    log.sets = sets;
    log.params = params.data();
    log.resets = resets.data();
    log.flags = arrays.flags.data();
    const Bindings bindings = arrays.bind(program);
    for (const InputView& view : bindings.inputs) {
        log.inputs.push_back({view, view.row_stride * n});
    }
    std::vector<std::byte> out;
    std::int64_t total = 0;
    for (const OutputView& view : bindings.outputs) {
        total += view.row_stride * n * kSteps * sets;
    }
    out.resize(static_cast<std::size_t>(total));
    std::byte* next = out.data();
    for (OutputView view : bindings.outputs) {
        view.data = next;
        log.outputs.push_back({view, view.row_stride * n, view.row_stride * n * kSteps});
        next += view.row_stride * n * kSteps * sets;
    }
    evaluate_log(program, nullptr, log, threads);
    return out;
}

TEST(logs_stay_inside_their_arrays_for_any_number_of_sets) {
    for (const std::int64_t n : {1, 63, 64, 65, 130}) {
        CHECK(!run_log(n, 1, 1).empty());
        CHECK(!run_log(n, 1, 3).empty());
    }
}

TEST(thread_count_changes_no_byte_of_a_log) {
    CHECK(run_log(700, 2, 1) == run_log(700, 1, 1));
    CHECK(run_log(700, 3, 2) == run_log(700, 1, 2));
}

TEST(all_operations_stay_inside_their_arrays) {
    for (const std::int64_t n : {1, 2, 7, 8, 63, 64, 65, 257}) {
        CHECK(!run(n, 1).empty());
    }
}

// Rows of two and three floats are read four at a time, but for the last ones.
TEST(narrow_rows_are_read_inside_their_arrays) {
    for (const std::int64_t width : {2, 3}) {
        for (const std::int64_t n : {63, 64, 128}) {
            ProgramSpec spec;
            spec.dt = 0.02;
            spec.inputs = {{"x", width}};
            spec.nodes = {node("input", {}, 2, {0, width - 2, width - 1}), node("neg", {0}, 2)};
            spec.groups = {{"y", 2, DType::f4, false}};
            spec.stores = {{1, 0, 0}};
            const Program program(std::move(spec));
            State state(program, n);
            const auto rows = static_cast<std::size_t>(n);
            const auto columns = static_cast<std::size_t>(width);
            std::vector<float> x(rows * columns);
            std::generate(x.begin(), x.end(),
                          [i = 0]() mutable { return static_cast<float>(++i); });
            std::vector<float> y(rows * 2);
            std::vector<std::uint32_t> flags(rows);
            std::vector<std::int32_t> bad_term(rows);
            constexpr auto kBytes = static_cast<std::ptrdiff_t>(sizeof(float));
            Bindings bindings;
            bindings.inputs = {
                {reinterpret_cast<const std::byte*>(x.data()), width * kBytes, width, DType::f4}};
            bindings.outputs = {{reinterpret_cast<std::byte*>(y.data()), 2 * kBytes, 2}};
            bindings.flags = flags.data();
            bindings.bad_term = bad_term.data();
            Evaluator(program, state, std::move(bindings), 1).step();
            for (std::size_t r = 0; r < rows; ++r) {
                CHECK(y[2 * r] == -x[(r + 1) * columns - 2]);
                CHECK(y[2 * r + 1] == -x[(r + 1) * columns - 1]);
            }
        }
    }
}

TEST(thread_count_changes_no_byte) {
    const std::vector<std::byte> one = run(1500, 1);
    CHECK(run(1500, 2) == one);
    CHECK(run(1500, 5) == one);
}

TEST(evaluators_of_one_program_run_side_by_side) {
    ProgramSpec spec;
    spec.dt = 0.02;
    spec.inputs = {{"x", kWidth}, {"y", kWidth}};
    spec.nodes = {whole_input(0), node("rate", {0}, kWidth)};
    spec.groups = {{"r", kWidth, DType::f4, true}};
    spec.stores = {{1, 0, 0}};
    const Program program(std::move(spec));
    parallel_for(4, 4, [&](std::int64_t, std::int64_t, int) {
        State state(program, 500);
        Arrays arrays(program, 500);
        arrays.fill(4);
        Evaluator evaluator(program, state, arrays.bind(program), 3);
        for (int i = 0; i < 20; ++i) {
            evaluator.step();
        }
    });
}

TEST(wrong_tables_and_kernels_are_refused) {
    const auto refuse = [](NodeSpec last, const char* message) {
        ProgramSpec spec;
        spec.dt = 0.02;
        spec.inputs = {{"x", kWidth}};
        spec.nodes = {whole_input(0), node("gather", {0}, 1, {0}), std::move(last)};
        CHECK_FAILS(Program(std::move(spec)), message);
    };
    refuse(node("lookup", {0}, kWidth), "expected 1 to 4096 floats, got 0");
    refuse(node("kernel", {1}, 1, {0}), "expected the address of a function");
    refuse(node("kernel", {0}, 1, {1}), "expected 1 to 16 args of 1 lane");
    refuse(node("machine", {1}, 3, {0, 64, 0}), "stage: expected 0 <= index < 64, got 64");
    refuse(node("machine", {1}, 3, {0, 1}), "number of ints: expected 3, got 2");
    refuse(node("machine", {1}, 2, {0, 1, 0}), "expected 3 lanes");
    refuse(node("episodic_count", {0}, kWidth, {2000}), "keys: expected 1 to 1024, got 2000");
    refuse(node("potential", {1, 0, 1}, 1), "expected 1 lanes, got 11");
    refuse(node("watch", {}, 1, {0, kWidth, 3}), "input column: expected 0 <= index < 11, got 11");
    refuse(node("watch", {}, 1, {0, 1}), "expected a slot, columns, a term id");
}

TEST(a_wrong_program_is_refused_without_a_leak) {
    ProgramSpec spec = everything();
    spec.nodes[3].op = "cons";
    CHECK_FAILS(Program(std::move(spec)), "unknown op 'cons', did you mean 'const'?");
    CHECK_FAILS(State(Program(everything()), 0), "expected 1 to 2^30 environments");
}

}  // namespace
}  // namespace embody
