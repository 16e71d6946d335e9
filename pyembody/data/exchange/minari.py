"""What Minari's files say of a dataset: its `metadata.json`, without a word of HDF5.

An episode's observations are what the policy saw, one row more than there are actions; signals and channels are in its
`infos`, row by row with the observations. Rewards are sums over channels, as an environment gives them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from ..header import Header
from .episodes import Episode
from .note import KEY, note_of

Array = npt.NDArray[Any]
VERSION = "0.5.0"
"""The oldest Minari that reads what is written here; newer ones read it too."""
LEGAL = re.compile(r"[-_\w]+-v\d+")


def dataset_id(name: str) -> str:
    """Return a folder's name as Minari names datasets: NAME-vNUMBER."""
    if LEGAL.fullmatch(name):
        return name
    return f"{re.sub(r'[^-_0-9A-Za-z]', '-', name) or 'dataset'}-v0"


def box(width: int) -> str:
    """Return the space of `width` unbounded float32 numbers as Minari writes it: a JSON text."""
    bound = [float("inf")] * width
    space = {"type": "Box", "dtype": "float32", "shape": [width], "low": [-x for x in bound], "high": bound}
    return json.dumps(space)


def metadata(header: Header, name: str, episodes: int, megabytes: float) -> dict[str, Any]:
    """Return what `metadata.json` holds, our header under `pyembody`."""
    robot = header.robot + (f", {header.variant}" if header.variant else "")
    return {
        "total_episodes": episodes,
        "total_steps": header.steps,
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": box(header.observations),
        "action_space": box(header.actions),
        "dataset_id": name,
        "minari_version": VERSION,
        "dataset_size": round(megabytes, 1),
        "algorithm_name": header.kind or "recorded",
        "description": f"Task {header.task} on {robot}, one step every {header.control_dt:g} s, recorded by pyembody.",
        KEY: note_of(header),
    }


def rewards(episode: Episode) -> Array:
    """Return the rewards `[L]` float64 of an episode."""
    total: Array = episode.steps["channels"].sum(axis=1, dtype=np.float64)
    return total


def after_reset(channels: Array) -> Array:
    """Return channels `[L + 1, C]` beside the observations: nothing is paid before the first step."""
    return np.concatenate([np.zeros_like(channels[:1]), channels])
