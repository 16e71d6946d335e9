"""Datasets in the files of Minari and LeRobot: the same after a round trip, and nothing damaged is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exchange_toy import assert_same_folder, toy_dataset, toy_shards
from pyembody.cli import main
from pyembody.data import Dataset
from pyembody.data.exchange import export_dataset, import_dataset
from pyembody.data.exchange.episodes import split
from pyembody.data.gather import gather, uniform
from pyembody.envs import make_vec
from pyembody.spec import SpecError

PACKAGES = {"minari": "h5py", "lerobot": "pyarrow"}
HDF5 = "data/main_data.hdf5"
FRAMES = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(params=sorted(PACKAGES))
def kind(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(PACKAGES[request.param])
    return str(request.param)


def exported(tmp_path: Path, kind: str) -> Path:
    toy_dataset(tmp_path / "d")
    export_dataset(tmp_path / "d", kind, tmp_path / kind)
    return tmp_path / kind


# --- round trips ----------------------------------------------------------------------------------


def test_a_round_trip_gives_the_same_bytes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toy_dataset(Path("d"), toy_shards(1, (5, 1, 6), gap=True))
    assert main(["dataset", "export", "d", "--format", kind, "--out", "theirs"]) == 0
    assert main(["dataset", "import", "theirs", "--out", "back"]) == 0
    assert_same_folder(Path("d"), Path("back"))
    assert {p.name for p in tmp_path.iterdir()} == {"d", "theirs", "back"}


def test_a_recorded_run_comes_back_too(kind: str, tmp_path: Path) -> None:
    env = make_vec("balance", "cartpole", 8)
    gather(env, uniform(1, 0), tmp_path / "d", 400, kind="random", seed=3)
    env.close()
    export_dataset(tmp_path / "d", kind, tmp_path / "theirs")
    import_dataset(tmp_path / "theirs", tmp_path / "back", kind)
    assert_same_folder(tmp_path / "d", tmp_path / "back")


# --- what others read -----------------------------------------------------------------------------


def test_minari_loads_what_was_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    dataset = toy_dataset(tmp_path / "d")
    export_dataset(tmp_path / "d", "minari", tmp_path / "root" / "toy-v3")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "root"))
    loaded = minari.load_dataset("toy-v3")
    episodes = list(split(dataset.shards()))
    assert (loaded.total_episodes, loaded.total_steps) == (len(episodes), len(dataset))
    assert loaded.observation_space.shape == (4,) and loaded.action_space.shape == (2,)
    for theirs, ours in zip(loaded.iterate_episodes(), episodes, strict=True):
        np.testing.assert_array_equal(theirs.observations, ours.states["observations"])
        np.testing.assert_array_equal(theirs.actions, ours.steps["actions"])
        np.testing.assert_array_equal(theirs.terminations, ours.steps["terminated"])
        np.testing.assert_array_equal(theirs.truncations, ours.steps["truncated"])
        np.testing.assert_array_equal(theirs.infos["signals"]["base_pos"], ours.states["signals.base_pos"])
        np.testing.assert_array_equal(theirs.infos["channels"][1:], ours.steps["channels"])
        assert theirs.rewards == pytest.approx(ours.steps["channels"].sum(1), rel=1e-5, abs=1e-6)


def test_lerobots_tables_have_the_published_columns_and_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = exported(tmp_path, "lerobot")
    written = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.is_file())
    meta = ["meta/info.json", "meta/pyembody.json", "meta/stats.json", "meta/tasks.parquet"]
    assert written == [FRAMES, EPISODES, *meta]
    info = json.loads((folder / "meta/info.json").read_text())
    frames, episodes = pq.read_table(folder / FRAMES), pq.read_table(folder / EPISODES)
    for name, feature in info["features"].items():
        value = pa.bool_() if feature["dtype"] == "bool" else pa.type_for_alias(feature["dtype"])
        width = feature["shape"][0]
        assert frames.schema.field(name).type == (value if width == 1 else pa.list_(value, width)), name
    assert frames.column_names == list(info["features"])
    assert frames.num_rows == info["total_frames"] and episodes.num_rows == info["total_episodes"]
    assert pq.ParquetFile(folder / FRAMES).num_row_groups == info["total_episodes"]
    rows = episodes.to_pylist()
    assert [r["dataset_to_index"] - r["dataset_from_index"] for r in rows] == [r["length"] for r in rows]
    assert rows[0]["tasks"] == ["balance"] and rows[0]["stats/action/count"] == [rows[0]["length"]]
    assert {r["data/chunk_index"] for r in rows} == {r["meta/episodes/file_index"] for r in rows} == {0}
    stats = json.loads((folder / "meta/stats.json").read_text())
    assert stats.keys() == info["features"].keys() and stats["next.reward"]["count"] == [info["total_frames"]]
    tasks = pq.read_table(folder / "meta/tasks.parquet")
    assert tasks.to_pydict() == {"task_index": [0], "task": ["balance"]}
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_frames_go_into_another_file_where_one_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    from pyembody.data.exchange import lerobot

    monkeypatch.setattr(lerobot, "FILE_MEGABYTES", 0)
    monkeypatch.setattr(lerobot, "CHUNK_FILES", 3)
    folder = exported(tmp_path, "lerobot")
    names = sorted(str(p.relative_to(folder / "data")) for p in (folder / "data").rglob("*.parquet"))
    assert names[:4] == [f"chunk-000/file-00{i}.parquet" for i in range(3)] + ["chunk-001/file-000.parquet"]
    import_dataset(folder, tmp_path / "back")
    assert_same_folder(tmp_path / "d", tmp_path / "back")


# --- nothing damaged ------------------------------------------------------------------------------


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_changed_numbers_of_minari_are_refused_with_their_place(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = exported(tmp_path, "minari") / HDF5
    place = "episode_2/infos/signals/base_pos"
    with h5py.File(path) as file:
        at = file[place].id.get_chunk_info(0).byte_offset
    flip(path, at)
    with pytest.raises(SpecError, match=f"main_data.hdf5: {place}: damaged or cut off"):
        import_dataset(path.parent.parent, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    flip(path, at)
    longest = int(np.argmax([len(e) for e in split(toy_shards())]))
    with h5py.File(path, "a") as file:
        file[f"episode_{longest}/truncations"][0] = True
    with pytest.raises(SpecError, match="truncated of shard-0000.*: not the numbers that were exported"):
        import_dataset(path.parent.parent, tmp_path / "back")


def test_changed_numbers_of_lerobot_are_refused_with_their_column(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    folder = exported(tmp_path, "lerobot")
    for name, column in ((FRAMES, "signal.base_pos"), (EPISODES, "pyembody/final/observations")):
        path = folder / name
        group = pq.ParquetFile(path).metadata.row_group(0)
        chunk = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema.startswith(column))
        at = chunk.data_page_offset + chunk.total_compressed_size - 2
        flip(path, at)
        with pytest.raises(SpecError, match=rf"file-000.parquet: {column}: damaged or cut off"):
            import_dataset(folder, tmp_path / "back")
        flip(path, at)
    import_dataset(folder, tmp_path / "back")


def test_cut_files_and_missing_ones_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    folder = exported(tmp_path, kind)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".hdf5", ".parquet", ".json")):
        if path.name in ("stats.json", "tasks.parquet"):
            continue  # for LeRobot alone: made from the frames
        whole = path.read_bytes()
        for part in (whole[: len(whole) // 2], b""):
            path.write_bytes(part)
            with pytest.raises(SpecError, match=path.name):
                import_dataset(folder, tmp_path / "back", kind)
        path.write_bytes(whole)
    import_dataset(folder, tmp_path / "back", kind)


def edit_metadata(key: str, value: Any) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        told = json.loads(path.read_text()) | {key: value}
        path.write_text(json.dumps(told))

    return edit


@pytest.mark.parametrize(
    ("kind_", "file", "edit", "words"),
    [
        ("minari", "data/metadata.json", edit_metadata("data_format", "arrow"), "expected 'hdf5', got 'arrow'"),
        ("minari", "data/metadata.json", edit_metadata("total_episodes", 99), "main_data.hdf5: episode_"),
        ("minari", "data/metadata.json", edit_metadata("total_episodes", "2"), "expected at least 1, got '2'"),
        ("minari", "data/metadata.json", edit_metadata("total_episodes", 1), "steps of shard-00000"),
        ("lerobot", "meta/info.json", edit_metadata("codebase_version", "v2.1"), "expected 'v3.0', got 'v2.1'"),
        ("lerobot", "meta/info.json", edit_metadata("data_path", "{x.__class__}"), "data_path: expected"),
        ("lerobot", "meta/info.json", edit_metadata("total_episodes", 3), "total_episodes: expected the"),
        ("lerobot", "meta/info.json", edit_metadata("fps", "fast"), "fps: expected a positive number, got 'fast'"),
        ("lerobot", "meta/pyembody.json", edit_metadata("header", None), "pyembody.json: header"),
    ],
)
def test_metadata_that_does_not_fit_is_refused(
    kind_: str, file: str, edit: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    pytest.importorskip(PACKAGES[kind_])
    folder = exported(tmp_path, kind_)
    edit(folder / file)
    with pytest.raises(SpecError, match=words):
        import_dataset(folder, tmp_path / "back")


# --- datasets of others ---------------------------------------------------------------------------


def test_a_minari_dataset_of_others_is_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "metadata.json").write_text('{"total_episodes": 2, "data_format": "hdf5", "dataset_id": "maze-v1"}')
    at = np.arange(4, dtype=np.float64)
    with h5py.File(folder / "main_data.hdf5", "w") as file:
        for number in range(2):
            group = file.create_group(f"episode_{number}")
            group["observations/goal"], group["observations/place"] = at, np.stack([at, -at], 1)
            group["actions"], group["rewards"] = np.arange(3), [0.0, 0.0, 1.0]
            group["terminations"], group["truncations"] = [False, False, number == 0], [False] * 3
        file["episode_0/infos/elsewhere"] = h5py.ExternalLink("other.hdf5", "/")
    header = import_dataset(tmp_path, tmp_path / "out")
    assert (header.task, header.actions, header.observations) == ("maze-v1", 1, 3)
    assert [(f.name, f.lanes) for f in header.fields] == [("observation.goal", 1), ("observation.place", 2)]
    rows = Dataset(tmp_path / "out").transitions(observations=True)
    np.testing.assert_array_equal(rows.successor, np.tile(np.stack([at, at, -at], 1)[1:], (2, 1)))
    assert rows.terminated.tolist() == [False, False, True, False, False, False]
    assert rows.truncated.tolist() == [False] * 5 + [True]
    with h5py.File(folder / "main_data.hdf5", "a") as file:
        del file["episode_1/rewards"]
        file["episode_1/rewards"] = h5py.ExternalLink("other.hdf5", "/")
    with pytest.raises(SpecError, match="episode_1/rewards: expected it in the file, found a link to somewhere else"):
        import_dataset(tmp_path, tmp_path / "again")


def test_a_lerobot_dataset_of_others_is_read_up_to_its_last_frames(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    counters = {"episode_index": [0] * 3 + [1] * 3, "frame_index": [0, 1, 2] * 2}
    state = [[float(i), float(-i)] for i in range(6)]
    columns = {"observation.state": state, "action": [float(i) for i in range(6)], **counters}
    features = {n: {"dtype": "float32", "shape": [2 if n == "observation.state" else 1]} for n in columns}
    features["observation.images.top"] = {"dtype": "video", "shape": [3, 4, 4]}
    for path, table in ((FRAMES, pa.table(columns)), (EPISODES, pa.table({"episode_index": [0, 1], "length": [3, 3]}))):
        (tmp_path / path).parent.mkdir(parents=True)
        pq.write_table(table, tmp_path / path)
    info = {"codebase_version": "v3.0", "fps": 30, "robot_type": "so100", "total_episodes": 2, "features": features,
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"}
    (tmp_path / "meta/info.json").write_text(json.dumps(info))
    header = import_dataset(tmp_path, tmp_path / "out")
    assert main(["dataset", "info", str(tmp_path / "out")]) == 0
    assert (header.robot, header.channels, header.steps) == ("so100", (), 4)
    assert header.control_dt == pytest.approx(1 / 30)
    rows = Dataset(tmp_path / "out").transitions()
    np.testing.assert_array_equal(rows.state[:, 0], [0, 1, 3, 4])
    np.testing.assert_array_equal(rows.successor[:, 0], [1, 2, 4, 5])
    assert rows.truncated.tolist() == [False, True, False, True]
