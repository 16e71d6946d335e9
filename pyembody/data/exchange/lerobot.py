"""What a LeRobot dataset v3.0 says of itself, without a word of Parquet: `meta/info.json`, columns, statistics.

A frame is a step: what was observed before it, the action, what it paid. `observation.state` is what the policy saw,
`signal.NAME` the signals; the states that episodes ended in stand in the table of episodes, as frames have no room for
them.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from ..header import Header
from ..shard import OBSERVATIONS, SIGNAL
from .episodes import Episode
from .note import state_lanes, stored

Array = npt.NDArray[Any]
VERSION = "v3.0"
INFO, STATS, TASKS, NOTE = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/pyembody.json"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
CHUNK_FILES, FILE_MEGABYTES, VIDEO_MEGABYTES = 1000, 100, 200
STATE, ACTION, REWARD, DONE = "observation.state", "action", "next.reward", "next.done"
TERMINATED, TRUNCATED, CHANNELS = "next.terminated", "next.truncated", "next.channels"
OURS = "signal."
COUNTERS = {
    "timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64", "task_index": "int64"
}
"""Columns that every dataset has."""
QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)


def column_of(name: str) -> str:
    """Return the column of a state array."""
    return STATE if name == OBSERVATIONS else OURS + name.removeprefix(SIGNAL)


def features(header: Header) -> dict[str, dict[str, Any]]:
    """Return dtype, shape and names of every column."""
    found = {column_of(n): _feature("float32", n.removeprefix(SIGNAL), w) for n, w in state_lanes(header).items() if w}
    found |= {ACTION: _feature("float32", "action", header.actions)} if header.actions else {}
    found |= {REWARD: _feature("float32", "reward", 1)}
    if header.channels:
        found[CHANNELS] = {"dtype": "float32", "shape": [len(header.channels)], "names": list(header.channels)}
    found |= {name: _feature("bool", name, 1) for name in (DONE, TERMINATED, TRUNCATED)}
    return found | {name: {"dtype": dtype, "shape": [1], "names": None} for name, dtype in COUNTERS.items()}


def _feature(dtype: str, name: str, width: int) -> dict[str, Any]:
    names = [name] if width == 1 else [f"{name}_{i}" for i in range(width)]
    return {"dtype": dtype, "shape": [width], "names": names}


def info(header: Header, episodes: int) -> dict[str, Any]:
    """Return what `meta/info.json` holds."""
    return {
        "codebase_version": VERSION,
        "fps": rate(header.control_dt),
        "features": features(header),
        "total_episodes": episodes,
        "total_frames": header.steps,
        "total_tasks": 1,
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": FILE_MEGABYTES,
        "video_files_size_in_mb": VIDEO_MEGABYTES,
        "data_path": DATA_PATH,
        "video_path": None,
        "robot_type": header.robot,
        "splits": {"train": f"0:{episodes}"},
    }


def rate(control_dt: float) -> float:
    """Return steps per second, a whole number where it is one but for rounding (1 where the time is not known)."""
    hertz = 1.0 / control_dt if control_dt > 0 else 1.0
    return round(hertz) if abs(hertz - round(hertz)) < 1e-6 * hertz else hertz


def columns(episode: Episode, header: Header, number: int, first: int) -> dict[str, Array]:
    """Return the columns of an episode's frames: `[L]`, or `[L, lanes]` where there are several.

    `number` is that of the episode, `first` that of its first frame.
    """
    steps, count = episode.steps, len(episode)
    found = {column_of(n): episode.states[n][:-1] for n in stored(state_lanes(header))}
    found |= {ACTION: steps["actions"]} if header.actions else {}
    found[REWARD] = steps["channels"].sum(axis=1, dtype=np.float64).astype(np.float32)
    found |= {CHANNELS: steps["channels"]} if header.channels else {}
    found |= {DONE: steps["terminated"] | steps["truncated"]}
    found |= {TERMINATED: steps["terminated"], TRUNCATED: steps["truncated"]}
    frames = np.arange(count, dtype=np.int64)
    found["timestamp"] = (frames / rate(header.control_dt)).astype(np.float32)
    found |= {"frame_index": frames, "episode_index": np.full(count, number, np.int64), "index": first + frames}
    found["task_index"] = np.zeros(count, np.int64)
    return {n: v[:, 0] if v.ndim == 2 and v.shape[1] == 1 else v for n, v in found.items()}


def statistics(values: Array) -> dict[str, list[float]]:
    """Return minimum, maximum, mean, deviation, quantiles and count of a column, lane by lane."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    found |= {f"q{round(100 * q):02d}": row for q, row in zip(QUANTILES, np.quantile(rows, QUANTILES, 0), strict=True)}
    return {name: row.tolist() for name, row in found.items()} | {"count": [len(rows)]}


def together(parts: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Return the statistics of all episodes from those of each; quantiles are the outermost ones, as in LeRobot."""
    rows = {name: np.array([p[name] for p in parts]) for name in parts[0]}
    count = rows["count"].sum()
    mean = (rows["mean"] * rows["count"]).sum(0) / count
    spread = ((rows["std"] ** 2 + (rows["mean"] - mean) ** 2) * rows["count"]).sum(0) / count
    found = {"min": rows["min"].min(0), "max": rows["max"].max(0), "mean": mean, "std": np.sqrt(spread)}
    for q in QUANTILES:
        name = f"q{round(100 * q):02d}"
        found[name] = rows[name].min(0) if q <= 0.5 else rows[name].max(0)
    return {name: row.tolist() for name, row in found.items()} | {"count": [int(count)]}


def pandas_index() -> dict[bytes, bytes]:
    """Return the metadata by which pandas reads a table of `task_index` and `task` with `task` as its index."""
    kinds = (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    described = [
        {"name": n, "field_name": n, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for n, kind, numpy in kinds
    ]
    names = [{"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object",
              "metadata": {"encoding": "UTF-8"}}]
    told = {"index_columns": ["task"], "column_indexes": names, "columns": described, "pandas_version": "2.2.0"}
    return {b"pandas": json.dumps(told).encode()}


def next_file(chunk: int, file: int) -> tuple[int, int]:
    """Return the numbers of the chunk and the file that come next."""
    return (chunk + 1, 0) if file == CHUNK_FILES - 1 else (chunk, file + 1)
