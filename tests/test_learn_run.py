"""Run folders: resume, interruption, damage, divergence."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyembody.learn import (
    NotFiniteError,
    checkpoint,
    create_run,
    load_policy,
    read_metrics,
    read_run,
    resume,
    train,
)
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.snapshot import load_learner
from pyembody.spec import SpecError
from pyembody.spec.files import write_atomic
from test_learn_toy import PointMass, toy_robot, toy_task, toy_train

MakeEnv = Callable[[Any, int, int, int], PointMass]


def toy(_spec: Any, envs: int, _threads: int, first: int) -> PointMass:
    return PointMass(envs, seed=first)


def new_run(tmp_path: Path, **changes: Any) -> Path:
    return create_run(toy_task(), toy_robot(), toy_train(**changes), 1, (), tmp_path)


def without_times(run: Path) -> list[dict[str, Any]]:
    rows = read_metrics(run)
    for row in rows:
        for key in ("time", "elapsed", "steps_per_second"):
            row.pop(key)
    return rows


def arrays(run: Path) -> dict[str, np.ndarray]:
    folder = checkpoint.latest(run)
    _, model, state = checkpoint.load(folder, 0)
    return model | state


def test_twenty_iterations_equal_ten_and_ten_more_bit_for_bit(tmp_path: Path) -> None:
    whole, parts = new_run(tmp_path), new_run(tmp_path)
    train(whole, iterations=20, progress=False, make_env=toy)
    train(parts, iterations=10, progress=False, make_env=toy)
    resume(parts, iterations=20, progress=False, make_env=toy)
    assert without_times(whole) == without_times(parts)
    first, second = arrays(whole), arrays(parts)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_a_run_is_recorded_whole(tmp_path: Path) -> None:
    run = create_run(
        toy_task(), toy_robot(), toy_train(), 7, ({"parameter": "speed", "value": 1.0},), tmp_path
    )
    spec = read_run(run)
    assert (spec.seed, spec.task.name, spec.edits) == (
        7,
        "point",
        ({"parameter": "speed", "value": 1.0},),
    )
    train(run, iterations=3, progress=False, make_env=toy)
    layout = read_run(run).layout
    assert layout is not None and layout.workers == 1
    assert [row["iteration"] for row in read_metrics(run)] == [1, 2, 3]
    assert all(row["time"]["physics"] == 16.0 for row in read_metrics(run))
    assert list((run / "tb").iterdir())
    assert not list(run.rglob(".*"))


def test_the_newest_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    run = new_run(tmp_path, checkpoint_every=1)
    train(run, iterations=8, progress=False, make_env=toy)
    kept = [int(p.name) for p in checkpoint.find(run)]
    scores = {row["iteration"]: row["reward"] for row in read_metrics(run)}
    assert kept[-3:] == [6, 7, 8] and len(kept) <= 4
    assert max(scores, key=lambda i: scores[i]) in kept


def test_lines_after_the_checkpoint_are_dropped_on_resume(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, iterations=2, progress=False, make_env=toy)
    with (run / "metrics.jsonl").open("a") as f:
        f.write('{"iteration": 3, "steps": 1}\n{"iteration": 4, "st')
    resume(run, iterations=4, progress=False, make_env=toy)
    assert [row["iteration"] for row in read_metrics(run)] == [1, 2, 3, 4]


def test_a_used_run_is_not_trained_again_and_a_finished_one_not_resumed(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, iterations=2, progress=False, make_env=toy)
    with pytest.raises(SpecError, match="has checkpoints already"):
        train(run, iterations=2, progress=False, make_env=toy)
    with pytest.raises(
        SpecError, match="iterations: 2 are done, expected a total above that"
    ):
        resume(run, iterations=2, progress=False, make_env=toy)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "meta.json"])
def test_a_damaged_checkpoint_is_named(
    tmp_path: Path, damage: Callable[[Path], Any], name: str
) -> None:
    run = new_run(tmp_path)
    train(run, iterations=1, progress=False, make_env=toy)
    path = checkpoint.latest(run) / name
    damage(path)
    with pytest.raises(SpecError, match=re.escape(str(path))):
        load_policy(run)
    with pytest.raises(SpecError, match=re.escape(str(path))):
        resume(run, iterations=2, progress=False, make_env=toy)


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected the folder of a run"):
        train(tmp_path, progress=False)
    with pytest.raises(SpecError, match="expected a checkpoint"):
        load_policy(tmp_path)


def test_a_policy_refuses_observations_of_another_width(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, iterations=1, progress=False, make_env=toy)
    with pytest.raises(ValueError, match=re.escape("observations: expected (2,) or (N, 2), got (4, 3)")):
        load_policy(run)(np.zeros((4, 3), np.float32))


def test_a_policy_takes_one_observation_and_plain_lists(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    policy = load_policy(train(run, iterations=1, progress=False, make_env=toy))
    row = [0.25, -0.5]
    action = policy(row)
    assert action.shape == (1,) and action.dtype == np.float32
    np.testing.assert_array_equal(action, policy(np.array([row], np.float64))[0])


class Poisoned(PointMass):
    """Pays NaN in one channel from the second iteration on."""

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        result = super().step(actions)
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps > 2 * 16:
            result[4]["channels"][0, 1] = np.nan
        return result


def test_nan_is_traced_to_its_channel_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    run = new_run(tmp_path, checkpoint_every=1)
    with pytest.raises(NotFiniteError, match="rewards of channel 'effort'"):
        train(run, progress=False, make_env=lambda _s, n, _t, _f: Poisoned(n))
    assert checkpoint.latest(run).name == "000002"
    load_policy(run)


def test_a_full_disk_is_one_message_and_the_old_checkpoint_stays(
    tmp_path: Path, monkeypatch: Any
) -> None:
    run = new_run(tmp_path, checkpoint_every=1)
    train(run, iterations=1, progress=False, make_env=toy)

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_synced", full)
    with pytest.raises(SpecError, match="No space left on device; earlier checkpoints are whole"):
        resume(run, iterations=2, progress=False, make_env=toy)
    monkeypatch.undo()
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["000001"]
    resume(run, iterations=2, progress=False, make_env=toy)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_one_message(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SpecError, match="cannot make a run folder"):
        new_run(tmp_path)


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.mkdir()
    with pytest.raises(SpecError, match=re.escape(str(path))):
        write_atomic(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["spec.json"]


INTERRUPTED = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_learn_run import toy
    from pyembody.learn import train
    train(Path(sys.argv[1]), iterations=100000, make_env=toy)
"""


def test_a_signal_saves_and_the_run_goes_on(tmp_path: Path) -> None:
    run = new_run(tmp_path, checkpoint_every=10**6)
    script = tmp_path / "interrupted.py"
    script.write_text(textwrap.dedent(INTERRUPTED.format(tests=str(Path(__file__).parent))))
    process = subprocess.Popen(
        [sys.executable, str(script), str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (run / "metrics.jsonl").is_file() or len((run / "metrics.jsonl").read_bytes()) < 1000:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert f"pyembody resume {run}" in said
    meta = json.loads((checkpoint.latest(run) / "meta.json").read_text())
    resume(run, iterations=meta["iteration"] + 1, progress=False, make_env=toy)


def test_a_loaded_policy_gives_the_learners_values(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, iterations=3, progress=False, make_env=toy)
    spec = read_run(run)
    env = toy(spec, spec.train.num_envs, 1, 0)
    learner = Learner(env, spec.task, spec.train, spec.seed, Group())
    load_learner(run, spec, learner)
    rows = torch.from_numpy(env.critic_observations.copy())
    expected = learner.value_normaliser.denormalise(
        learner.engine.values(learner.critic_normaliser(rows, out=torch.empty_like(rows)))
    ).detach().numpy()
    values = load_policy(run).values(env.observations, env.critic_observations)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
    assert values.shape == (env.num_envs, len(env.channel_names)) and values.any()
