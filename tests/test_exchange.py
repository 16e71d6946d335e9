"""Datasets for other libraries, without those libraries: episodes, metadata, and what comes back of them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_toy import LANES, ROWS, assert_same_folder, toy_dataset, toy_shards
from pyembody.cli import main
from pyembody.data import Dataset
from pyembody.data.exchange import lerobot, minari
from pyembody.data.exchange.episodes import Episode, Place, cut, fill, split
from pyembody.data.exchange.note import Found, header_of, note_of, place_of
from pyembody.data.exchange.shards import adopt, restore
from pyembody.data.shard import OBSERVATIONS
from pyembody.spec import SpecError

# --- episodes -------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.lists(st.integers(1, 6), min_size=1, max_size=4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_shards_come_back_from_their_episodes_bit_for_bit(seed: int, lengths: list[int], gap: bool) -> None:
    shards = toy_shards(seed, tuple(lengths), gap)
    pieces = [piece for episode in split(shards) for piece in cut(episode, lengths)]
    for number, arrays in enumerate(shards):
        again = fill(lengths[number], ROWS, [p for p in pieces if p.place.shard == number])
        assert again.keys() == arrays.keys()
        for name, values in arrays.items():
            assert again[name].tobytes() == values.tobytes(), name


def test_episodes_end_only_in_their_last_step_with_the_true_successor() -> None:
    shards = toy_shards()
    episodes = list(split(shards))
    assert sum(len(e) for e in episodes) == 18 * ROWS
    assert sum(e.ended for e in episodes) == sum(int((s["terminated"] | s["truncated"]).sum()) for s in shards)
    for episode in episodes:
        flags = episode.steps["terminated"] | episode.steps["truncated"]
        assert not flags[:-1].any()
        assert {n: v.shape for n, v in episode.states.items()} == {n: (len(flags) + 1, w) for n, w in LANES.items()}
    finals = {e.states[OBSERVATIONS][-1].tobytes() for e in episodes if e.ended}
    assert finals == {row.tobytes() for s in shards for row in s["final_observations"]}


def test_an_episode_goes_on_in_the_next_shard_unless_steps_were_left_out_between() -> None:
    def no_end(shards: list[dict[str, Any]]) -> list[Episode]:
        for arrays in shards:
            arrays["terminated"][:] = arrays["truncated"][:] = False
        return list(split(shards))

    assert [len(e) for e in no_end(toy_shards())] == [18] * ROWS
    assert sorted(len(e) for e in no_end(toy_shards(gap=True))) == [4] * ROWS + [14] * ROWS


def test_steps_that_are_missing_or_there_twice_are_refused() -> None:
    shards = toy_shards(lengths=(7,))
    pieces = list(split(shards))
    with pytest.raises(SpecError, match="expected it once, found it 0 times"):
        fill(7, ROWS, pieces[1:])
    with pytest.raises(SpecError, match="expected it once, found it 2 times"):
        fill(7, ROWS, [*pieces, pieces[0]])
    with pytest.raises(SpecError, match="outside the shard of 7 steps of 3 rows"):
        fill(7, ROWS, [replace(pieces[0], place=Place(0, 6, 9))])
    with pytest.raises(SpecError, match="beyond the last shard"):
        list(cut(pieces[0], []))
    with pytest.raises(SpecError, match=r"here: pyembody/row: expected where the episode was recorded, got None"):
        place_of({"pyembody/shard": 0, "pyembody/step": np.int64(1)}, "here")


# --- what comes back ------------------------------------------------------------------------------


def test_a_dataset_comes_back_as_it_was_and_nothing_edited_does(tmp_path: Path) -> None:
    dataset = toy_dataset(tmp_path / "d")
    header = header_of(json.loads(json.dumps(note_of(dataset.header))), "note")
    assert header == dataset.header
    (tmp_path / "back").mkdir()
    restore(header, split(dataset.shards()), tmp_path / "back", Path("there"))
    assert_same_folder(dataset.folder, tmp_path / "back")

    episodes = list(split(dataset.shards()))
    paid = episodes[0].steps["channels"] + np.float32(0.5)
    edited = [replace(episodes[0], steps={**episodes[0].steps, "channels": paid}), *episodes[1:]]
    with pytest.raises(SpecError, match="there: channels of shard-00000.safetensors: not the numbers that were export"):
        restore(header, edited, tmp_path, Path("there"))
    with pytest.raises(SpecError, match="there: expected the 21 steps of shard-00000.safetensors, found 1"):
        restore(header, [e for e in episodes if e.place.shard or e.place.row], tmp_path, Path("there"))
    note = note_of(header) | {"seeds": [5]}
    with pytest.raises(SpecError, match="note: damaged: expected digest"):
        header_of(note, "note")


def test_someone_elses_episodes_become_a_dataset_of_one_environment(tmp_path: Path) -> None:
    def episode(length: int, fell: bool) -> Episode:
        at = np.arange(length + 1, dtype=np.float32)[:, None]
        ends = np.arange(length) == length - 1
        steps = {"actions": at[:-1] * 2, "channels": at[1:], "terminated": ends & fell, "truncated": ends & False}
        return Episode(Place(0, 0, 0), {"signals.x": at, OBSERVATIONS: np.hstack([at, -at])}, steps)

    adopt(Found(iter([episode(3, True), episode(2, False)]), task="theirs"), tmp_path, Path("there"), "minari")
    dataset = Dataset(tmp_path)
    assert (dataset.header.task, dataset.header.kind, dataset.header.channels) == ("theirs", "minari", ("reward",))
    rows, seen = dataset.transitions(), dataset.transitions(observations=True)
    np.testing.assert_array_equal(rows.state[:, 0], [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(rows.successor[:, 0], [1, 2, 3, 1, 2])
    np.testing.assert_array_equal(seen.successor[:, 1], [-1, -2, -3, -1, -2])
    assert rows.terminated.tolist() == [False, False, True, False, False]
    assert rows.truncated.tolist() == [False] * 4 + [True]
    with pytest.raises(SpecError, match="there: expected a dataset with steps in it, got none"):
        adopt(Found(iter([])), tmp_path, Path("there"), "minari")


# --- metadata -------------------------------------------------------------------------------------


def test_minaris_metadata_has_what_its_loader_asks_for(tmp_path: Path) -> None:
    dataset = toy_dataset(tmp_path / "d")
    told = json.loads(json.dumps(minari.metadata(dataset.header, "toy-v0", 9, 0.51)))
    asked = {"total_episodes": 9, "total_steps": 54, "data_format": "hdf5", "dataset_id": "toy-v0", "dataset_size": 0.5}
    assert told.items() >= asked.items()
    space = json.loads(told["observation_space"])
    assert (space["type"], space["dtype"], space["shape"]) == ("Box", "float32", [4])
    assert space["low"] == [-np.inf] * 4 and space["high"] == [np.inf] * 4
    assert told["pyembody"]["fields"][1] == {"name": "pole_angle", "lanes": 1, "unit": "rad", "kind": "scalar",
                                             "role": "state", "adrift": []}
    assert told["pyembody"]["seeds"] == [3, 4]
    assert [minari.dataset_id(n) for n in ("walk-v2", "walk", "a b.c")] == ["walk-v2", "walk-v0", "a-b-c-v0"]


def test_rewards_are_sums_over_channels(tmp_path: Path) -> None:
    episode = next(iter(split(toy_dataset(tmp_path / "d").shards())))
    expected = episode.steps["channels"].astype(np.float64).sum(1)
    np.testing.assert_allclose(minari.rewards(episode), expected, rtol=1e-12)
    assert minari.after_reset(episode.steps["channels"]).shape == (len(episode) + 1, 2)


def test_lerobots_info_is_version_3_and_its_columns_are_the_features(tmp_path: Path) -> None:
    header = toy_dataset(tmp_path / "d").header
    info = lerobot.info(header, 9)
    assert (info["codebase_version"], info["fps"], info["robot_type"]) == ("v3.0", 50, "cartpole")
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (9, 54, 1)
    assert info["data_path"] == "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    assert info["splits"] == {"train": "0:9"}
    features = info["features"]
    assert features["observation.state"] == {"dtype": "float32", "shape": [4],
                                             "names": [f"observations_{i}" for i in range(4)]}
    assert features["signal.pole_angle"]["names"] == ["pole_angle"]
    assert features["next.channels"]["names"] == ["task", "effort"]
    assert features["next.done"] == {"dtype": "bool", "shape": [1], "names": ["next.done"]}
    episode = next(e for e in split(toy_shards()) if len(e) > 2)
    columns = lerobot.columns(episode, header, 5, 40)
    assert list(columns) == list(features)
    for name, values in columns.items():
        shape = tuple(features[name]["shape"])
        assert values.dtype == features[name]["dtype"], name
        assert values.shape == (len(episode), *(() if shape == (1,) else shape)), name
    np.testing.assert_allclose(columns["timestamp"], np.arange(len(episode)) / 50)
    np.testing.assert_array_equal(columns["index"], 40 + np.arange(len(episode)))


def test_rates_that_are_whole_but_for_rounding_are_whole() -> None:
    assert lerobot.rate(0.02) == 50 and isinstance(lerobot.rate(0.02), int)
    assert lerobot.rate(0.03) == pytest.approx(100 / 3)
    assert lerobot.next_file(0, 998) == (0, 999) and lerobot.next_file(0, 999) == (1, 0)


def test_statistics_of_the_parts_make_those_of_the_whole() -> None:
    rows = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    whole = lerobot.statistics(rows)
    each = [lerobot.statistics(p) for p in np.split(rows, [10, 50])]
    parts = lerobot.together(each)
    for name in ("min", "max", "mean", "std", "count"):
        assert parts[name] == pytest.approx(whole[name]), name
    assert whole["q50"] == pytest.approx(np.median(rows, 0).tolist(), rel=1e-6)
    assert parts["q01"] == np.min([p["q01"] for p in each], 0).tolist()
    assert parts["q99"] == np.max([p["q99"] for p in each], 0).tolist()


# --- the commands ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("format_", "package"), [("minari", "h5py"), ("lerobot", "pyarrow")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    format_: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_dataset(tmp_path / "d")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", "export", "d", "--format", format_, "--out", "e"]) == 1
    assert f"needs the package '{package}': pip install {package}" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d"]


def test_folders_of_no_known_format_and_those_that_are_there_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_dataset(tmp_path / "d")
    monkeypatch.chdir(tmp_path)
    for arguments, words in (
        (["import", ".", "--out", "e"], "expected meta/info.json (LeRobot) or data/metadata.json (Minari) in it"),
        (["import", "d", "--out", "e"], "got one of ours: it needs no import"),
        (["import", "d", "--format", "lerobot", "--out", "e"], "d/meta/info.json: cannot read"),
        (["export", "d", "--format", "lerobot", "--out", "d"], "d: expected the name of a new folder"),
        (["export", "nowhere", "--format", "lerobot", "--out", "e"], "expected the folder of a dataset"),
        (["export", "d", "--format", "minary", "--out", "e"], "minari"),
    ):
        assert main(["dataset", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d"]
