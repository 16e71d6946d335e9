"""Published rewards written as programs pay what their formulas pay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from published_arms import ARMS
from published_control import CONTROL
from published_legs import LEGS
from pyembody import RewardProgram

FOLDER = Path(__file__).parent / "programs"
REWARDS = {**CONTROL, **ARMS, **LEGS}
N = 600
TOLERANCE = 1e-5
BAD_SCALE = 8  # margins of random rows may be negative; they are indicators then, in the oracle too


@pytest.mark.parametrize("name", REWARDS)
def test_program_pays_what_the_formula_pays(name: str) -> None:
    published, program = REWARDS[name], RewardProgram(FOLDER / f"{name}.toml")
    rng = np.random.default_rng(11)
    history = [published.draw(program.signals, N, rng)]
    program.reset(history[0])
    paid = []
    for _ in range(published.steps):
        history.append(published.draw(program.signals, N, rng))
        out = program.step(history[-1])
        expected = published.oracle(history)
        size = min(1.0, 4 * float(np.std(expected)))
        np.testing.assert_allclose(out.total, expected, rtol=TOLERANCE, atol=TOLERANCE * size)
        paid.append(expected)
        assert not (out.flags & ~np.uint32(BAD_SCALE)).any()
    assert np.std(paid) > 1e-3


@pytest.mark.parametrize("name", REWARDS)
def test_core_and_twin_agree_on_published_programs(name: str) -> None:
    published, program = REWARDS[name], RewardProgram(FOLDER / f"{name}.toml")
    rng, n = np.random.default_rng(12), 70
    twin = program.compiled.reference(n)
    first = published.draw(program.signals, n, rng)
    program.reset(first)
    twin.reset({key: rows.reshape(n, -1) for key, rows in first.items()}, np.ones(n, bool))
    for _ in range(3):
        rows = published.draw(program.signals, n, rng)
        out, expected = program.step(rows), twin.step({key: value.reshape(n, -1) for key, value in rows.items()})
        np.testing.assert_allclose(out.raw, expected["raw"], rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(out.channels, expected["channels"], rtol=2e-5, atol=2e-6)
        np.testing.assert_array_equal(out.terminated, expected["terminated"][:, 0] != 0)
        np.testing.assert_array_equal(out.flags, twin.flags)


def test_every_program_has_an_oracle() -> None:
    alone = {path.stem for path in FOLDER.glob("*.toml") if "[signals]" in path.read_text()}
    assert alone == set(REWARDS)
    assert len(REWARDS) >= 40
