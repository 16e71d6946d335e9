"""Datasets: what is recorded is what happened, what is read is what was written, and nothing damaged is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from pyembody.cli import main
from pyembody.data import Dataset, Recorder
from pyembody.data.gather import Noisy, gather, uniform
from pyembody.data.header import HEADER
from pyembody.envs import VectorEnv, make_vec
from pyembody.spec import SpecError

ENVS, STEPS = 8, 40


def cartpole(**settings: Any) -> VectorEnv:
    return make_vec("balance", "cartpole", ENVS, **settings)


def record(path: Path, steps: int = ENVS * STEPS, **settings: Any) -> Dataset:
    env = cartpole()
    gather(env, uniform(1, 0), path, steps, kind="random", seed=3, **settings)
    env.close()
    return Dataset(path)


def watched(path: Path, count: int, **settings: Any) -> tuple[Dataset, dict[str, np.ndarray]]:
    """A recording in blocks, and the same run written down by hand."""
    env = cartpole()
    env.signal("pole_angle")
    env.reset(seed=5, options={"stagger": True})
    act, kept = uniform(1, 1), {}
    with Recorder(env, path, **settings):
        for _ in range(count):
            row = {"angle": env.signal("pole_angle").copy(), "observations": env.observations.copy()}
            row["action"] = act(env.observations)
            _, _, terminated, truncated, _ = env.step(row["action"])
            row |= {"after": env.signal("pole_angle").copy()}
            row |= {"final": env.final_observations.copy(), "channels": env.channels.copy()}
            row |= {"terminated": terminated.copy(), "truncated": truncated.copy()}
            for name, value in row.items():
                kept.setdefault(name, []).append(value)
    env.close()
    return Dataset(path), {k: np.stack(v) for k, v in kept.items()}


def test_what_is_recorded_is_what_happened(tmp_path: Path) -> None:
    dataset, kept = watched(tmp_path / "d", 50, steps=20)
    assert [s.steps for s in dataset.header.shards] == [20, 20, 10]
    blocks = list(dataset.shards())
    for mine, theirs in (("signals.pole_angle", "angle"), ("observations", "observations")):
        np.testing.assert_array_equal(np.concatenate([b[mine][:-1] for b in blocks]), kept[theirs].astype(np.float32))
    for mine, theirs in (("actions", "action"), ("channels", "channels"), ("terminated", "terminated")):
        np.testing.assert_array_equal(np.concatenate([b[mine] for b in blocks]), kept[theirs])


def test_successors_are_true_ones_also_where_episodes_ended(tmp_path: Path) -> None:
    dataset, kept = watched(tmp_path / "d", 50, steps=20)
    rows, seen = dataset.transitions(["pole_angle"]), dataset.transitions(observations=True)
    ended = (kept["terminated"] | kept["truncated"]).ravel()
    assert 5 < ended.sum() < 200
    after = kept["after"].reshape(-1, 1).astype(np.float32)
    np.testing.assert_array_equal(rows.successor[~ended], after[~ended])
    np.testing.assert_array_equal(seen.successor[ended], kept["final"].reshape(len(ended), -1)[ended])
    assert (np.abs(rows.successor[rows.terminated]) > np.abs(after[rows.terminated])).all()  # fallen, not begun anew


def test_recording_changes_nothing_of_the_run(tmp_path: Path) -> None:
    _, kept = watched(tmp_path / "a", 30)
    env = cartpole()
    env.signal("pole_angle")
    env.reset(seed=5, options={"stagger": True})
    act = uniform(1, 1)
    for t in range(30):
        np.testing.assert_array_equal(env.observations, kept["observations"][t])
        env.step(act(env.observations))
    env.close()


def test_one_block_in_so_many_is_kept_of_some_rows(tmp_path: Path) -> None:
    dataset, kept = watched(tmp_path / "d", 50, steps=10, every=2, rows=3)
    blocks = list(dataset.shards())
    assert [b["actions"].shape for b in blocks] == [(10, 3, 1)] * 3
    for k, block in enumerate(blocks):
        np.testing.assert_array_equal(block["actions"], kept["action"][20 * k : 20 * k + 10, :3])
        angles = kept["angle"][20 * k : 20 * k + 10, :3].astype(np.float32)
        np.testing.assert_array_equal(block["signals.pole_angle"][:10], angles)


def test_a_reset_from_outside_ends_the_episodes_there(tmp_path: Path) -> None:
    env = cartpole()
    env.reset(seed=0)
    with Recorder(env, tmp_path / "d"):
        env.step(np.ones((ENVS, 1)))
        last = env.signal("pole_angle").astype(np.float32)
        env.reset(seed=1, options={"reset_mask": np.arange(ENVS) < 2})
        env.step(np.ones((ENVS, 1)))
    env.close()
    rows = Dataset(tmp_path / "d").transitions(["pole_angle"])
    assert rows.truncated.tolist() == [True] * 2 + [False] * (2 * ENVS - 2)
    np.testing.assert_array_equal(rows.successor[:ENVS], last)


def test_windows_lie_within_episodes(tmp_path: Path) -> None:
    dataset = record(tmp_path / "d")
    windows = dataset.windows(5, 12, 0, ["cart_pos", "cart_vel"])
    assert windows.states.shape == (6, 12, 2) and windows.actions.shape == (5, 12, 1)
    moved = np.abs(np.diff(windows.states[..., 0], axis=0) - 0.02 * windows.states[1:, :, 1])
    assert moved.max() < 0.01  # a reset would jump
    with pytest.raises(SpecError, match="an episode of at least 1000 steps"):
        dataset.windows(1000, 1, 0)


def test_a_header_tells_units_and_what_was_given(tmp_path: Path) -> None:
    header = record(tmp_path / "d").header
    assert header.field("pole_vel").unit == "rad/s" and header.field("pole_vel").role == "state"
    assert header.field("action").role == "carried"
    assert (header.seeds, header.kind, header.steps) == ((3,), "random", ENVS * STEPS)
    with pytest.raises(SpecError, match="unknown signal 'pole_val', did you mean 'pole_vel'"):
        header.field("pole_val")
    with pytest.raises(SpecError, match="'action' is given from outside"):
        Dataset(tmp_path / "d").transitions(["action"])


def test_horizontal_places_of_a_walking_robot_are_adrift(tmp_path: Path) -> None:
    env = make_vec("velocity", "go2", 2)
    header = gather(env, uniform(12, 0), tmp_path / "d", 2)
    env.close()
    assert header.field("base_pos").adrift == (0, 1)
    assert header.field("foot_pos").adrift == (0, 1, 3, 4, 6, 7, 9, 10)
    assert header.field("base_lin_vel_world").adrift == ()


def test_every_cut_and_every_changed_byte_is_refused_with_its_place(tmp_path: Path) -> None:
    folder = record(tmp_path / "d").folder
    path = folder / "shard-00000.safetensors"
    whole = path.read_bytes()
    start = int.from_bytes(whole[:8], "little") + 8
    table = json.loads(whole[8:start])
    for name in ("signals.pole_vel", "terminated"):
        at = start + table[name]["data_offsets"][0]
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(SpecError, match=rf"shard-00000.safetensors: {name}: damaged"):
            Dataset(folder).transitions()
    for cut in (0, 7, start - 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(SpecError, match=f"shard-00000.*: cut off: expected {len(whole)} bytes, got {cut}"):
            Dataset(folder).transitions()
    path.write_bytes(b"\xff" * 8 + whole[8:])
    with pytest.raises(SpecError, match="damaged in its first bytes"):
        Dataset(folder).transitions()
    path.unlink()
    with pytest.raises(SpecError, match="cannot read"):
        Dataset(folder).transitions()


def test_a_changed_header_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "d").folder / HEADER
    text = path.read_text()
    for change, words in (
        (text.replace('"kind": "random"', '"kind": "medium"'), "damaged: expected digest"),
        (text.replace("dataset-1", "dataset-9"), "expected 'pyembody-dataset-1', got 'pyembody-dataset-9'"),
        (text[: len(text) // 2], "not JSON"),
        (text.replace('"robot"', '"robat"'), "did you mean 'robot'"),
    ):
        path.write_text(change)
        with pytest.raises(SpecError, match=words):
            Dataset(path.parent)


def test_a_recorder_refuses_what_it_cannot_record(tmp_path: Path) -> None:
    env = cartpole(autoreset_mode=AutoresetMode.NEXT_STEP)
    with pytest.raises(ValueError, match="expected AutoresetMode.SAME_STEP"):
        Recorder(env, tmp_path / "d")
    env.close()
    env = cartpole()
    with Recorder(env, tmp_path / "d"), pytest.raises(ValueError, match="recorded already"):
        Recorder(env, tmp_path / "e")
    with pytest.raises(SpecError, match="expected the name of a new folder"):
        Recorder(env, tmp_path / "d")
    with pytest.raises(ValueError, match="every: expected at least 1, got 0"):
        Recorder(env, tmp_path / "f", every=0)
    env.close()


def test_noise_is_that_of_its_seed() -> None:
    rows = np.zeros((1000, 3), np.float32)
    one, other = (Noisy(lambda r: np.ones((len(r), 2), np.float32), 0.5, 7)(rows) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.mean() == pytest.approx(1.0, abs=0.05) and one.std() == pytest.approx(0.5, abs=0.05)


def test_the_commands_make_and_check_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", "make", "balance", "--steps", "200"]) == 0
    assert main(["dataset", "info", "datasets/balance-cartpole-random"]) == 0
    assert "pole_angle" in capsys.readouterr().out
    assert main(["dataset", "make", "balance", "--steps", "200"]) == 2
    assert "expected the name of a new folder" in capsys.readouterr().err
    shard = tmp_path / "datasets/balance-cartpole-random/shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert main(["dataset", "info", "datasets/balance-cartpole-random"]) == 2
    assert "shard-00000.safetensors: cut off" in capsys.readouterr().err


def test_a_training_and_an_evaluation_are_recorded_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = ["--iterations", "2", "--num-envs", "16", "--no-video", "--no-report", "--record"]
    assert main(["train", "balance", *short, "d"]) == 0
    trained = Dataset("d")
    horizon = len(trained) // 32
    assert len(trained) == 2 * 16 * horizon > 0 and trained.header.kind == "train"
    assert main(["eval", "--episodes", "4", "--no-controls", "--record", "e"]) == 0
    assert Dataset("e").transitions().terminated.sum() + Dataset("e").transitions().truncated.sum() >= 4
    make = ["dataset", "make", "balance", "--steps", "300", "--iterations", "2", "--kind"]
    for kind in ("mixed", "narrow"):
        assert main([*make, kind]) == 0
        assert Dataset(f"datasets/balance-cartpole-{kind}").header.kind == kind
