"""Misuse of the core: every error names the argument, what was expected and what was got."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from core_programs import Draft
from pyembody import _core

NO_PARAMS = np.zeros(0, np.float32)


def program(nodes, inputs=(("x", 3),), groups=(("y", 3, "f4", False),), stores=(), params=NO_PARAMS, dt=0.02):
    return _core.Program(list(nodes), list(inputs), list(groups), list(stores), params, dt)


X = ("input", [], 3, [0, 0, 1, 2], [])
ONE = ("input", [], 1, [0, 0], [])

BAD_NODES = [
    ([("inptu", [], 1, [0, 0], [])], "node 0: unknown op 'inptu', did you mean 'input'?"),
    ([X, ("exp", [1], 3, [], [])], "node 1 (exp): args: expected earlier nodes, got 1"),
    ([X, ("exp", [-1], 3, [], [])], "node 1 (exp): args: expected earlier nodes, got -1"),
    ([X, ("exp", [], 3, [], [])], "node 1 (exp): number of args: expected 1, got 0"),
    ([X, ("exp", [0], 2, [], [])], "node 1 (exp): arg 0: expected 2 lanes or 1, got 3"),
    ([X, ("exp", [0], 3, [1], [])], "node 1 (exp): number of ints: expected 0, got 1"),
    ([X, ("ema", [0], 3, [], [])], "node 1 (ema): number of floats: expected 1, got 0"),
    ([X, ("ema", [0], 3, [], [float("nan")])], "node 1 (ema): expected a finite number, got nan"),
    ([ONE, ("ema", [0], 3, [], [1.0])], "node 1 (ema): arg 0: expected 3 lanes, got 1"),
    ([X, ("exp", [0], 0, [], [])], "node 1 (exp): lanes: expected 1 to 1024, got 0"),
    ([X, ("exp", [0], 1025, [], [])], "node 1 (exp): lanes: expected 1 to 1024, got 1025"),
    ([("input", [], 1, [0], [])], "node 0 (input): ints: expected a slot and 1 columns, got 1 numbers"),
    ([("input", [], 1, [1, 0], [])], "node 0 (input): input slot: expected 0 <= index < 1, got 1"),
    ([("input", [], 1, [0, 3], [])], "node 0 (input): input column: expected 0 <= index < 3, got 3"),
    ([("const", [], 2, [], [1.0])], "node 0 (const): number of floats: expected 2, got 1"),
    ([("param", [], 1, [0], [])], "node 0 (param): parameter: expected 0 <= index < 0, got 0"),
    ([X, ("gather", [0], 2, [0, 3], [])], "node 1 (gather): lane: expected 0 <= index < 3, got 3"),
    ([X, ("gather", [0], 2, [0], [])], "node 1 (gather): number of ints: expected 2, got 1"),
    ([X, ("concat", [0, 0], 5, [], [])], "node 1 (concat): lanes: expected the sum of the args' lanes 6, got 5"),
    ([("concat", [], 1, [], [])], "node 0 (concat): number of args: expected at least 1, got 0"),
    ([X, ("sum", [0], 1, [2], [])], "node 1 (sum): group size: expected lanes * k = 3 lanes of arg 0, got 1 * 2"),
    ([X, ("sum", [0], 1, [-3], [])], "node 1 (sum): group size"),
    ([X, ("guard", [0], 3, [0], [1.0])], "node 1 (guard): expected 1 lane, got 3"),
    ([ONE, ("guard", [0], 1, [-1], [1.0])], "node 1 (guard): term id"),
    ([ONE, ("guard", [0], 1, [0], [0.0])], "node 1 (guard): max_abs: expected more than 0, got 0"),
    ([ONE, ("prev", [0], 1, [17], [])], "node 1 (prev): depth: expected 1 to 16, got 17"),
    ([ONE, ("exp", [0], 1, [], []), ("sub64", [0, 1], 1, [], [])],
     "node 2 (sub64): arg 1: expected an input node, got exp"),
    ([("const", [], 1024, [], [0.0] * 1024), *[("delta", [0], 1024, [], [])] * 5],
     "node 5 (delta): state: expected at most 4096 doubles an environment, got 5120"),
    ([ONE] * 16385, "nodes: expected at most 16384, got 16385"),
]


@pytest.mark.parametrize(("nodes", "message"), BAD_NODES, ids=[m[:48] for _, m in BAD_NODES])
def test_a_wrong_node_is_named(nodes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        program(nodes)


@pytest.mark.parametrize(("changes", "message"), [
    ({"stores": [(1, 0, 0)]}, "store 0: node: expected 0 <= index < 1, got 1"),
    ({"stores": [(0, 1, 0)]}, "store 0: group: expected 0 <= index < 1, got 1"),
    ({"stores": [(0, 0, 1)]}, "store 0: group 'y' has 3 columns, got 3 lanes at column 1"),
    ({"stores": [(0, 0, 0), (0, 0, 0)]}, "store 1: group 'y' column 0 is stored twice"),
    ({"inputs": [("x", 3), ("x", 3)]}, "input 'x': the name is used twice"),
    ({"inputs": [("x", -1)]}, "input 'x': width: expected 0 to 65536, got -1"),
    ({"groups": [("y", 3, "f8", False)]}, "group 'y': dtype: expected 'f4' or 'u1', got 'f8'"),
    ({"dt": 0.0}, "dt: expected a finite number of seconds above 0, got 0"),
    ({"dt": float("inf")}, "dt: expected a finite number of seconds above 0, got inf"),
    ({"params": np.zeros((1, 1), np.float32)}, "params: expected shape (any,), got (1, 1)"),
])
def test_a_wrong_table_is_named(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        program([X], **changes)


def test_too_many_registers_are_refused():
    nodes = [("input", [], 1024, [0, *[0] * 1024], [])] * 65
    groups = [(f"y{i}", 1024, "f4", False) for i in range(65)]
    with pytest.raises(ValueError, match="expected at most 65536 register lanes in use at once, got 6656"):
        program(nodes, groups=groups, stores=[(i, i, 0) for i in range(65)])


@pytest.mark.parametrize(("node", "got"), [(("input", []), "('input', [])"), ("input", "'input'"), (3, "3")])
def test_a_node_that_is_no_tuple_is_shown(node, got):
    parts = "(str op, list[int] args, int lanes, list[int] ints, list[float] floats)"
    message = f"node 0: expected a tuple {parts}, got {got}"
    with pytest.raises(TypeError, match=re.escape(message)):
        program([node])


def test_parameters_of_another_dtype_are_not_converted():
    with pytest.raises(TypeError, match="params: expected dtype float32, got float64"):
        program([X], params=np.zeros(1))


def arguments(n=4):
    p = program([X], stores=[(0, 0, 0)])
    return {
        "program": p, "state": _core.State(p, n), "inputs": [np.zeros((n, 3))],
        "outputs": [np.zeros((n, 3), np.float32)], "params": NO_PARAMS, "flags": np.zeros(n, np.uint32),
        "bad_term": np.zeros(n, np.int32), "threads": 1,
    }


def read_only():
    array = np.zeros((4, 3), np.float32)
    array.flags.writeable = False
    return array


BAD_ARGUMENTS = [
    ("inputs", [], ValueError, "inputs: expected 1 arrays (x), got 0"),
    ("inputs", [np.zeros((4, 2))], ValueError, "input 'x': expected shape (4, 3), got (4, 2)"),
    ("inputs", [np.zeros((3, 3))], ValueError, "input 'x': expected shape (4, 3), got (3, 3)"),
    ("inputs", [np.zeros(12)], ValueError, "input 'x': expected shape (4, 3), got (12,)"),
    ("inputs", [np.zeros((4, 3), np.int64)], TypeError,
     "input 'x': expected dtype float32 or float64 or uint8 or bool, got int64"),
    ("inputs", [np.zeros((4, 3), ">f4")], TypeError, "got >f4"),
    ("inputs", [[1, 2, 3]], TypeError,
     "input 'x': expected a numpy array of float32 or float64 or uint8 or bool, got list"),
    ("inputs", [np.zeros((4, 6))[:, ::2]], ValueError,
     "input 'x': expected columns side by side (stride 8 bytes), got a stride of 16 bytes"),
    ("inputs", [np.zeros(4 * 3 * 8 + 1, np.uint8)[1:].view(np.float64).reshape(4, 3)], ValueError,
     "input 'x': expected aligned memory"),
    ("outputs", [np.zeros((4, 3))], TypeError, "output 'y': expected dtype float32, got float64"),
    ("outputs", [read_only()], ValueError, "output 'y': expected a writable array, got a read-only one"),
    ("outputs", [np.lib.stride_tricks.as_strided(np.zeros(8, np.float32), (4, 3), (4, 4))], ValueError,
     "output 'y': expected rows that do not overlap, got a row stride of 4 bytes"),
    ("outputs", [np.zeros((4, 3), np.float32)] * 2, ValueError, "outputs: expected 1 arrays (y), got 2"),
    ("params", np.zeros(1, np.float32), ValueError, "params: expected shape (0,), got (1,)"),
    ("flags", np.zeros(4, np.int32), TypeError, "flags: expected dtype uint32, got int32"),
    ("flags", np.zeros(5, np.uint32), ValueError, "flags: expected shape (4,), got (5,)"),
    ("bad_term", np.zeros(8, np.int32)[::2], ValueError, "bad_term: expected a C-contiguous array, got a strided one"),
    ("threads", 0, ValueError, "threads: expected 1 to 1024, got 0"),
    ("state", None, TypeError, "state: expected a State, got NoneType"),
    ("program", None, TypeError, "incompatible constructor arguments"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), BAD_ARGUMENTS, ids=[m[:48] for *_, m in BAD_ARGUMENTS])
def test_a_wrong_array_is_named(name, value, error, message):
    with pytest.raises(error, match=re.escape(message)):
        _core.Evaluator(**{**arguments(), name: value})


def test_the_state_of_another_program_is_refused():
    other = program([X, ("delta", [0], 3, [], [])])
    with pytest.raises(ValueError, match="state: expected the state of this program with 0 slots, got 3"):
        _core.Evaluator(**{**arguments(), "state": _core.State(other, 4)})


def test_a_state_needs_an_environment():
    with pytest.raises(ValueError, match=re.escape("n: expected 1 to 2^30 environments, got 0")):
        _core.State(program([X]), 0)


@pytest.mark.parametrize(("mask", "error", "message"), [
    (np.zeros(4, np.uint8), TypeError, "mask: expected dtype bool, got uint8"),
    (np.zeros(3, bool), ValueError, "mask: expected shape (4,), got (3,)"),
    (np.zeros(8, bool)[::2], ValueError, "mask: expected a C-contiguous array"),
    ([True] * 4, TypeError, "mask: expected a numpy array of bool, got list"),
])
def test_a_wrong_mask_is_named(mask, error, message):
    with pytest.raises(error, match=re.escape(message)):
        _core.Evaluator(**arguments()).reset(mask)


def test_arrays_live_as_long_as_their_evaluator():
    d = Draft()
    d.store(d.input("x", 1), "y")
    bound = d.bind([np.full((1000, 1), 3.0)], 1000)
    evaluator, output = bound.evaluator, bound["y"]
    del bound, d
    _ = [np.full((1000, 1), 7.0) for _ in range(50)]
    evaluator.step()
    assert (output == 3).all()


def test_two_threads_get_an_error_instead_of_a_race():
    d = Draft()
    x = d.input("x", 8)
    for _ in range(50):
        x = d.node("atan2", [x, x], 8)
    d.store(x, "y")
    bound = d.bind([np.ones((4096, 8))], 4096)
    failures = []

    def work():
        for _ in range(3):
            try:
                bound.step()
            except RuntimeError as error:
                failures.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(failures) <= {"evaluator: a call on another thread is still running"}
    assert failures


FORK_SCRIPT = """
import os, sys, warnings
warnings.simplefilter("ignore")
sys.path[:0] = sys.argv[1:]
import numpy as np
from core_programs import Draft
from pyembody import _core
d = Draft()
x = d.input("x", 4)
for _ in range(50):
    x = d.node("tanh", [x], 4)
d.store(x, "y")
bound = d.bind([np.ones((4096, 4))], 4096, threads=2)
bound.step()
big = np.zeros((64, 4096, 4), np.float32)
ends = np.zeros((64, 4096), bool)
ones = np.ones(4, np.float32)
def returns():
    _core.discounted_returns(big, big, ends, ends, ones, np.zeros_like(big), 2)
if os.fork() == 0:
    for call in (bound.step, bound.reset, returns):
        try:
            call()
            print("no error")
        except RuntimeError as error:
            print(error)
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


def test_use_after_fork_is_refused():
    done = subprocess.run(
        [sys.executable, "-c", FORK_SCRIPT, *sys.path], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    hint = "used after fork, expected the process that made it; start workers with 'spawn'"
    assert done.stdout.splitlines() == [f"evaluator: {hint}", f"evaluator: {hint}", f"thread pool: {hint}"]
