"""Rerun recordings: whole files with every curve that was recorded."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from pyembody.analysis import Recording
from pyembody.viz import write_rrd
from pyembody.viz.rerun_log import curves
from viz_toy import toy_model, toy_recording


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return toy_model()


@pytest.fixture(scope="module")
def recording(model: mujoco.MjModel) -> Recording:
    return toy_recording(model)


def test_a_rerun_file_is_written_whole(model: mujoco.MjModel, recording: Recording, tmp_path: Path) -> None:
    told: list[float] = []
    path = write_rrd(recording, model, tmp_path / "a.rrd", progress=lambda _, s: told.append(s))
    data = path.read_bytes()
    assert data[:4] == b"RRF2"
    for entity in (b"world/base", b"terms/task/go", b"velocity/command/forward", b"trunk"):
        assert entity in data
    assert told[-1] == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["a.rrd"]


def test_curves_leave_out_what_was_not_recorded(recording: Recording) -> None:
    found = curves(recording)
    assert "values/task" not in found
    assert "joint_vel/hip" not in found
    np.testing.assert_allclose(found["velocity/measured/forward"], 0.9, rtol=1e-6)
    assert set(found) >= {
        "terms/safety/torque",
        "channels/task",
        "metrics/speed_error",
        "foot_force/foot",
    }
