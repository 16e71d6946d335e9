"""A grammar of reward programs for the fuzzer: what each kind of word may be written as, and further tables."""

from __future__ import annotations

import random
import re

NUM = """x; w[0]; g['fl']; LIT; time; num + num; num - num; num * num; num / num; num % LIT; -num; abs(num); num ** 2
min(num, num); max(num, num); clip(num, LIT, LIT); exp(num); log(num); sqrt(num); tanh(num); sin(num); atan2(num, num)
norm(vec); normsq(vec); dot(vec, vec); sum(axis); mean(axis); max(axis); prod(vec); std(axis); count(flags); num(bool)
num if bool else num; where(bool, num, num); gauss(vec, LIT); laplace(num, num); tanh1m(vec, LIT); inverse(num, LIT)
tolerance(num, LIT, inf, LIT, sigmoid="linear"); hamacher(sigmoid(num), sigmoid(num)); huber(num, LIT); delta(num)
rate(num); prev(num); ema(num, 0.1); initial(num); running_max(num); cosine(vec, vec); wrap_pi(num); spow(num, 0.5)
rot_angle(q, q) * number(1, "rad^-1"); gate(bool, num); count_steps(bool) * 1.0; smooth_abs(vec, 0.1); norm1(axis)
sum(where(flags, axis, 0)); geomean(num, num); normalise(num, 0.1); table("k", num); learned("k"); unwrap(num)
potential(num, 0.9); l22(vec, LIT, 2); risk(num, LIT); episodic_count(count(flags)) * 1.0; squash(num, "tanh", 1, 0)"""
VEC = """w; [num, num, num]; vec + vec; num * vec; cross(vec, vec); unit(vec); rotate(q, vec); prev(vec); delta(vec)
abs(vec); clip(vec, -1, 1); where(bool, vec, vec); vec * vec"""
AXIS = """g; axis + axis; num * axis; air_time(flags) * number(1, "s^-1"); abs(axis); where(flags, axis, num)
last_air_time(flags) * number(1, "s^-1"); square(axis); delta(axis)"""
FLAGS = """c; not flags; axis > LIT; flags and flags; first_contact(flags); prev(flags); xor(flags, flags)"""
BOOL = """on; num > num; LIT <= num < LIT; bool and bool; bool or bool; not bool; any(flags); all(flags); latch(bool)
near(num, num, LIT); isfinite(num); prev(bool); hold(bool, 0.1)"""
LIT = """1; 0; 0.5; 2; 1e-3; 1e30; 1e-38; 3.7; 10"""
TABLES = (
    'guard = "zero"', 'guard = "raise"', 'success = "on"',
    '[terminations]\nt = "NUM > 0"', '[metrics]\nm = "NUM"', '[observations.policy]\no = "VEC"',
    '[params]\nk = NUMBER', '[params.k]\nvalue = NUMBER\nlow = NUMBER\nunit = "m"',
    '[params.k]\nvalue = NUMBER\nper_env = true\n[channels.p.terms]\nt = { expr = "NUM * k" }',
    '[terminal.t]\nvalue = NUMBER', '[terminal.t]\nvalue = 1\nwhen = "on"\nmode = "set"\nchannel = "a"',
    '[tables.k]\nvalues = [NUMBER, 1]', '[learned.k]\nlow = NUMBER\nhigh = 1',
    '[schedules]\n"t0.weight" = { from = 1, to = NUMBER, start = 0, end = NUMBER }',
    '[templates.k]\nexpr = "NUM"\n[channels.b.terms]\nt = { template = "k" }',
    '[[stages]]\nname = "one"\nuntil = "BOOL"\nreward = NUMBER\n[[stages]]\nname = "two"\nuntil = "stage == \'two\'"',
    '[[stages]]\nname = "one"\nuntil = "BOOL"\nhold_s = NUMBER\n[[stages]]\nname = "end"\nterminal = true',
    '[[machine]]\nfrom = "u"\nto = "v"\nwhen = "BOOL"\nreward = NUMBER\n[[machine]]\nfrom = "v"\nto = "u"\nwhen = "on"',
    '[channels.b]\ncombine = "product"\nfloor = NUMBER\n[channels.b.terms]\nt = { expr = "sigmoid(NUM)", weight = 2 }',
    '[channels.b]\ncombine = "hamacher"\ngain = NUMBER\n[channels.b.terms]\nt = { expr = "sigmoid(NUM)" }',
    '[channels.b.terms]\nt = { expr = "NUM", clip = [NUMBER, 1], max_abs = NUMBER, scale = "event" }',
)
WORDS = {"num": NUM, "vec": VEC, "axis": AXIS, "flags": FLAGS, "bool": BOOL, "LIT": LIT}
GRAMMAR = {word: [part.strip() for part in re.split(r"[;\n]", text)] for word, text in WORDS.items()}


def grammatical(rng: random.Random, word: str, depth: int) -> str:
    """Return an expression of a kind (`num`, `vec`, `axis`, `flags`, `bool`), nested at most `depth` times."""
    choices = GRAMMAR[word]
    chosen = rng.choice(choices) if depth > 0 or word == "LIT" else choices[0]
    return re.sub(r"\b(num|vec|axis|flags|bool|LIT)\b(?!\()", lambda m: _part(rng, m[1], depth), chosen)


def filled(rng: random.Random, table: str, numbers: tuple[str, ...]) -> str:
    """Return a table of a task with its expressions and numbers drawn."""
    table = re.sub(r"NUMBER\b", lambda _: rng.choice(numbers), table)
    return re.sub(r"\b(NUM|VEC|BOOL)\b", lambda m: grammatical(rng, m[1].lower(), 2).replace('"', "'"), table)


def _part(rng: random.Random, word: str, depth: int) -> str:
    part = grammatical(rng, word, depth - 1)
    return f"({part})" if " " in part else part
