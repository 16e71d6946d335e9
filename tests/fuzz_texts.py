"""Texts for the fuzzer: random bytes, mutated programs, soups of words, deep and huge ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_grammar import TABLES, filled, grammatical
from pyembody.program import OPERATIONS

Maker = Callable[[random.Random, list[str]], Any]
NUMBERS = (
    "0", "-1", "1", "0.5", "2", "1e-45", "1e30", "1e38", "1e39", "1e308", "1e999", "-1e999", "nan", "inf", "-inf",
    "9" * 39, "9" * 41, "9" * 5000, "0x10", "1_000", "true", "07", "1979-05-27", "1e400", "4096", "257", "-0.0",
)
FRAME = """dt = 0.02
[signals]
x = {{}}
y = {{ unit = "m" }}
v = {{ kind = "vector", width = 3, unit = "m/s", frame = "body" }}
p = {{ kind = "vector", width = 3, unit = "m", frame = "world", point = true }}
q = {{ kind = "quat", width = 4, frame = "world" }}
on = {{ kind = "bool" }}
f = {{ kind = "vector", width = 3, axis = "feet", labels = ["fl", "fr", "rl"], unit = "m" }}
c = {{ kind = "bool", axis = "feet", labels = ["fl", "fr", "rl"] }}
long = {{ kind = "vector", width = 60 }}
w = {{ kind = "vector", width = 3 }}
g = {{ axis = "feet", labels = ["fl", "fr", "rl"] }}
{let}
[channels.a.terms]
{terms}
"""
LEAVES = ("x", "y", "v", "p", "q", "on", "f", "c", "long", "dt", "pi", "inf", "time", "step", "terminated", "True")
INFIX = (" + ", " - ", " * ", " / ", " % ", " ** ", " < ", " <= ", " > ", " and ", " or ", " == ", " if ", " else ")
SUBSCRIPTS = ("[0]", "[:2]", "[-1]", "[:, 2]", "['fl']", "['f*']", "[[0, 2]]", "[1:]", "[::2]", "[99]", "[x]", "['']")
OPS = tuple(name for name, op in OPERATIONS.items() if op.public)


def corpus() -> list[str]:
    """The programs of the tests that declare their own signals, and a frame."""
    files = sorted((Path(__file__).parent / "programs").glob("*.toml"))
    texts = [text for text in (f.read_text() for f in files) if "[signals" in text]
    return [*texts, frame("gauss(v[:2], 0.25)")]


def frame(*exprs: str, let: str = "") -> str:
    """A program with the given terms."""
    terms = "\n".join(f"t{i} = {{ expr = '''{e}''' }}" for i, e in enumerate(exprs))
    return FRAME.format(terms=terms, let=f"[let]\n{let}" if let else "")


def random_bytes(rng: random.Random, _programs: list[str]) -> str:
    """Bytes, printable or not, now and then with TOML's own signs."""
    alphabet = rng.choice([bytes(range(256)), b"[]={}\"'.#\n \tabc019-+", b"[]{}=.\"'\n"])
    return bytes(rng.choices(alphabet, k=rng.randrange(400))).decode("latin-1") + "\n"


def mutated(rng: random.Random, programs: list[str]) -> str:
    """A program with pieces cut out, doubled, moved, or replaced by other words and numbers."""
    text = rng.choice(programs)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        a = rng.randrange(len(text) + 1)
        b = min(len(text), a + rng.choice((0, 1, 2, 5, 20, 200)))
        other = rng.choice(programs)
        c = rng.randrange(len(other))
        piece = rng.choice((
            "", chr(rng.randrange(32, 127)), rng.choice(NUMBERS), rng.choice(OPS), rng.choice(LEAVES),
            rng.choice(INFIX), rng.choice(SUBSCRIPTS), text[a:b] * rng.choice((2, 3, 50)),
            other[c : c + rng.choice((1, 5, 50))], chr(rng.randrange(0x110000 - 0x3000)),
        ))
        text = text[:a] + piece + text[b:]
    return text + "\n"


def expression(rng: random.Random, depth: int) -> str:
    """A tree of the language's words; its types may or may not fit."""
    kind = rng.random()
    if depth <= 0 or kind < 0.2:
        return rng.choice(LEAVES) + (rng.choice(SUBSCRIPTS) if rng.random() < 0.25 else "")
    if kind < 0.35:
        return rng.choice(NUMBERS[:11])
    if kind < 0.6:
        return f"({expression(rng, depth - 1)}{rng.choice(INFIX[:11])}{expression(rng, depth - 1)})"
    if kind < 0.65:
        parts = [expression(rng, depth - 1) for _ in range(rng.randrange(1, 5))]
        return f"[{', '.join(parts)}]" + (rng.choice(SUBSCRIPTS) if rng.random() < 0.3 else "")
    name = rng.choice(OPS)
    arguments = [expression(rng, depth - 1) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    if rng.random() < 0.1:
        arguments.append(f"{rng.choice(('over', 'k', 'margin', 'sigmoid', 'p'))}={rng.choice(NUMBERS)}")
    return f"{name}({', '.join(arguments)})"


def typed(rng: random.Random, _programs: list[str]) -> str:
    """Terms that mostly compile, and now and then further tables of a task."""
    exprs = [grammatical(rng, "num", rng.randrange(1, 6)) for _ in range(rng.choice((1, 2, 5)))]
    numbers = (*NUMBERS[:7], "0", "1", "0.5", "2")
    extra = [filled(rng, rng.choice(TABLES), numbers) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    head = "\n".join(e for e in extra if not e.startswith("["))
    return f"{head}\n{frame(*exprs)}\n" + "\n".join(e for e in extra if e.startswith("[")) + "\n"


def soup(rng: random.Random, _programs: list[str]) -> str:
    """Terms of random trees, reduced to scalars half of the time."""
    exprs = [expression(rng, rng.randrange(1, 6)) for _ in range(rng.choice((1, 1, 2, 4)))]
    if rng.random() < 0.5:
        exprs = [f"sum(norm({e}))" if rng.random() < 0.5 else f"norm({e})" for e in exprs]
    lets = "\n".join(f"l{i} = '''{expression(rng, 3)}'''" for i in range(rng.choice((0, 0, 2))))
    return frame(*exprs, let=lets)


def deep(rng: random.Random, _programs: list[str]) -> str:
    """Nesting, in expressions and in TOML."""
    n = rng.choice((5, 20, 31, 33, 100, 500, 2000, 40_000))
    o, c = rng.choice(("()", "[]", ("abs(", ")"), ("(-", ")"), ("(x + ", ")"), ("where(on, x, ", ")"), ("{", "}")))
    texts = (
        frame(o * n + "x" + c * n), frame("not " * n + "on"), frame("-" * n + "x"), frame("x" + " + x" * n),
        frame("x" + " ** 2" * n), frame("x < " * n + "x"), frame("v" + "[0]" * n), frame("x if on else " * n + "x"),
        f"a = {'[' * n}{']' * n}\n", f"a = {'{a=' * n}1{'}' * n}\n", f"{'a.' * n}a = 1\n", f"[{'a.' * n}a]\n",
        f"{'[[a]]' * n}\n", "a = [" + "[],\n" * n + "]\n",
    )
    return rng.choice(texts)


def signal(declaration: str) -> str:
    """A program over one more signal."""
    return frame("sum(sin(w) * cos(prev(w, 16)))").replace("x = {}", f"x = {{}}\nw = {{ {declaration} }}")


def huge(rng: random.Random, _programs: list[str]) -> str:
    """Many, wide, long: lets that double, signals of millions, lists and numbers without end."""
    n = rng.choice((10, 60, 65, 130, 300, 4000))
    big = rng.choice((64, 65, 257, 1025, 5000, 10**5, 10**9, 10**20))
    doubling = "\n".join(f"l{i} = 'l{i + 1} + l{i + 1}'" for i in range(min(n, 63))) + f"\nl{min(n, 63)} = 'x'"
    spread = "\n".join(f"l{i} = 'sin(l{i + 1}) * cos(l{i + 1}) + prev(l{i + 1})'" for i in range(12)) + "\nl12 = 'x'"
    label_list = ", ".join(f'"j{i}"' for i in range(min(n * 4, 2000)))
    texts = (
        frame("l0", let=doubling), frame("l0", let=spread), frame(*["x"] * n), frame("max(x" + ", x" * n + ")"),
        frame(f"prev(x, {big})"), frame(f"prev(long, {big})"), frame(f"x ** {big}"), frame(f"x[{big}]"),
        frame(f"spow(x, {big})"), signal(f'kind = "vector", width = {big}'),
        signal(f'axis = "j", labels = [{label_list}]'),
        signal(f'kind = "vector", width = 64, axis = "j", labels = [{label_list}]'),
        frame("x", let="\n".join(f"l{i} = 'x'" for i in range(n))), frame("[" + "x, " * n + "x]"),
        frame("x" * n), frame("x + " + "1" * n), frame("'" + "a" * n + "'"), "a" * 300_000 + " = 1\n",
        "a = " + "9" * n * 30 + "\n", "".join(f"a{i} = {i}\n" for i in range(n * 10)),
        "a = '''" + "x\n" * n * 20 + "'''\n",
        frame(*[f"prev(sum(long * {i}.5), 16)" for i in range(min(n, 128))]),
        frame(*[f"norm(ema(sin(long + {i}), 0.5))" for i in range(min(n, 128))]),
        frame(f"c['{'*' * min(n, 4000)}fl'][0]"), frame(f"num(any(c['{'*f' * min(n, 1900)}']))"),
        frame(f"num(any(c['{'[a-z]*' * min(n, 600)}!']))"),
    )
    return rng.choice(texts)


def odd_data(rng: random.Random, _programs: list[str]) -> dict[str, Any]:
    """A dict, as `RewardProgram` takes too, with values of any kind where others are expected."""
    odd = (None, 1, -1.5, "", "x", [], {}, [[]], {"a": {}}, True, float("nan"), b"x", 10**400, ("x",), {1: 2}, object())
    keys = ("signals", "dt", "name", "let", "params", "channels", "terminations", "success", "metrics", "observations")
    data: dict[str, Any] = {
        "dt": 0.02, "signals": {"x": {}}, "channels": {"a": {"terms": {"t": {"expr": "x"}}}},
        "params": {"k": {"value": 1.0, "low": 0.0}},
    }
    for _ in range(rng.randrange(1, 3)):
        target: Any = rng.choice((data, data["signals"], data["channels"], data["params"])) if data else data
        if isinstance(target, dict):
            target[rng.choice([*keys, *target])] = rng.choice(odd)
        data = {key: data.get(key, {}) for key in ("signals", "channels", "params")} | data
    return data


KINDS: dict[str, Maker] = {
    "bytes": random_bytes, "mutated": mutated, "soup": soup, "typed": typed, "deep": deep, "huge": huge,
    "odd data": odd_data,
}
