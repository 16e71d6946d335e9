"""Rollouts in bfloat16: the core beside its twin, bits that do not change, and how far it is from float32."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nn_twins import ACTIVATIONS
from pyembody import _core
from pyembody.spec import Signal
from pyembody.world import Candidates, EnsembleModel, Imagined, ModelState, RolloutReference
from pyembody.world.bfloat16_reference import rounded
from world_toy import fitted, move, strip
from world_twins import STATE, draw_rows, make_actor, make_ensemble, make_program, make_reward

FAR, NEAR, SHARE = 1e-3, 1e-5, 0.01
"""Beside the twin every number is within FAR of the largest one, and all but a SHARE within NEAR: where a sum lies at
the border between two bfloat16 numbers, float32 and double may round it to different ones.
"""


@pytest.fixture(scope="module")
def program() -> Any:
    return make_program()


def run(program: Any, threads: int = 1, rows: int = 300, steps: int = 5, **options: Any) -> Imagined:
    states, goals = draw_rows(rows)
    model = EnsembleModel(make_ensemble(options.pop("activation", "silu")), STATE, program, threads=threads)
    return model.rollout(states, steps, actor=make_actor(11), carried=goals, precision="bfloat16", **options)


def assert_twins(program: Any, activation: str, **options: Any) -> Imagined:
    got = run(program, rows=150, activation=activation, **options)
    states, goals = draw_rows(150)
    twin = RolloutReference(
        make_ensemble(activation), STATE, program, actor=make_actor(11), precision="bfloat16", **options
    )
    want = twin.run(states, 5, carried=goals, forced=got.next_states)
    for name in ("valid", "terminated", "rejected"):
        np.testing.assert_array_equal(got.arrays[name], want.arrays[name], err_msg=name)
    for name in ("observations", "actions", "next_states", "channels", "penalty", "credible"):
        theirs = want.arrays[name]
        apart = np.abs(got.arrays[name] - theirs) / max(1.0, float(np.abs(theirs).max()))
        assert apart.max() < FAR, name
        assert (apart > NEAR).mean() < SHARE, name
    return got


def digest(found: Imagined) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in found.arrays.values())).hexdigest()


def digests() -> list[str]:
    """Of rollouts with every activation, all members, and a filter."""
    program, filtered = make_program(), Candidates(make_reward(), threshold=0.0)
    kinds: list[dict[str, Any]] = [{"activation": a, "penalty": "disagreement"} for a in ACTIVATIONS]
    return [digest(run(program, **kind)) for kind in (*kinds, {"propagation": "select", "candidates": filtered})]


def test_numbers_are_rounded_as_torch_rounds_them() -> None:
    words = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint64).astype(np.uint32)
    numbers = words.view(np.float32)
    numbers = numbers[np.isfinite(numbers) & (np.abs(numbers) >= 2.0**-126)]
    numbers[:3] = 1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8 - 2.0**-23
    np.testing.assert_array_equal(rounded(numbers[:3]), np.float32([1, 1 + 2.0**-6, -1 - 2.0**-7]))
    np.testing.assert_array_equal(rounded(numbers), torch.from_numpy(numbers).bfloat16().float().numpy())
    odd = rounded(np.float32([np.nan, np.inf, -1e-40]))
    assert np.isnan(odd[0]) and np.isposinf(odd[1]) and odd[2] == 0 and np.signbit(odd[2])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("propagation", ["sampled", "mean"])
def test_every_step_is_the_twins(program: Any, activation: str, propagation: str) -> None:
    got = assert_twins(program, activation, seed=3, propagation=propagation, penalty="disagreement")
    assert 0.1 < got.valid[-1].mean() < 1.0


def test_the_dynamics_reward_is_the_twins(program: Any) -> None:
    got = assert_twins(program, "elu", propagation="select", candidates=Candidates(make_reward(), threshold=0.0))
    assert len(np.unique(got.credible[got.valid])) > 100


def test_threads_change_no_bit(program: Any) -> None:
    one, three = (digest(run(program, threads=n, rows=700)) for n in (1, 3))
    assert one == three


@pytest.mark.parametrize("level", ["generic", "avx2"])
def test_all_levels_give_the_same_bits(level: str) -> None:
    if _core.simd_level() != "avx512":
        pytest.skip("this processor has no level with bfloat16 units to compare with")
    command = [sys.executable, "-P", "-c", "import test_world_bfloat16 as t; print(*t.digests())"]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"EMBODY_SIMD": level, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == digests(), done.stderr


def test_it_errs_far_less_than_a_fitted_model_does() -> None:
    fit, _ = fitted(strip(0), 30, batch=64, learning_rate=3e-3)
    ensemble, states, steps = fit.ensemble(), strip(3).state[:1000], 50
    model = EnsembleModel(ensemble, ModelState((Signal("place"), Signal("speed"))))
    actions = np.random.default_rng(5).uniform(-1, 1, (len(states), steps, 1)).astype(np.float32)
    options: dict[str, Any] = {"actions": actions, "noise": False, "propagation": "mean"}
    exact, near = (model.rollout(states, steps, precision=p, **options).next_states for p in ("float32", "bfloat16"))
    truth = [move(states, actions[:, 0])]
    for t in range(1, steps):
        truth.append(move(truth[-1], actions[:, t]))
    error, own = (np.abs(x - exact) / ensemble.state_std for x in (near, np.stack(truth)))
    change = (truth[0] - states) / ensemble.state_std
    assert np.sqrt((error[0] ** 2).mean()) < 0.01 * np.sqrt((change**2).mean())
    assert np.sqrt((error[0] ** 2).mean()) < 0.05 * np.sqrt((own[0] ** 2).mean())
    assert (np.median(error, (1, 2)) < 0.1 * np.median(own, (1, 2))).all()
    assert error.any((1, 2)).all()


def test_another_precision_is_refused(program: Any) -> None:
    model, (states, goals), wrong = EnsembleModel(make_ensemble("silu"), STATE, program), draw_rows(4), "bfloat"
    with pytest.raises(ValueError, match="precision: unknown value 'bfloat', did you mean 'bfloat16'"):
        model.rollout(states, 2, actor=make_actor(11), carried=goals, precision=wrong)  # type: ignore[arg-type]
