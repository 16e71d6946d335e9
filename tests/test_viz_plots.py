"""Plots of a run as SVG text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyembody.analysis import Recording
from pyembody.viz import plots
from pyembody.viz.plots import gait_diagram, learning_curves, term_bars, velocities
from viz_toy import toy_model, toy_recording


@pytest.fixture(scope="module")
def recording() -> Recording:
    return toy_recording(toy_model())


def test_plots_are_the_same_text_for_the_same_data(recording: Recording) -> None:
    rows = [
        {
            "steps": i * 100,
            "elapsed": i * 1.0,
            "channels": {"task": i},
            "metrics": {"speed_error": 1 / (i + 1)},
            "terminated": 0.5,
            "success": 0.1,
        }
        for i in range(5)
    ]
    for draw in (
        lambda: learning_curves(rows),
        lambda: velocities(recording),
        lambda: gait_diagram(recording),
    ):
        first = draw()
        assert first == draw()
        assert "<svg" in first
    assert ">speed</text>" in learning_curves(rows)


def rows_of(count: int) -> list[dict[str, Any]]:
    curves = {"channels": {"task": 1.0, "style": -1.0}, "metrics": {"speed_error": 0.5, "yaw_error": 0.4}}
    return [
        {"steps": 1000 * (i + 1), "elapsed": 3.0 * (i + 1), "episodes": 4, "success": 0.5, "terminated": 0.25, **curves}
        for i in range(count)
    ]


def test_a_legend_lies_above_the_curves_and_hides_none(monkeypatch: pytest.MonkeyPatch, recording: Recording) -> None:
    figures: list[Any] = []
    svg = plots._svg

    def keep(figure: Any, salt: str) -> str:
        text = svg(figure, salt)
        figures.append(figure)
        return text

    monkeypatch.setattr(plots, "_svg", keep)
    learning_curves(rows_of(30))
    velocities(recording)
    term_bars({"task.go": 1.0, "safety.torque": -0.5})
    legends = [axis.get_legend() for figure in figures for axis in figure.axes if axis.get_legend()]
    assert len(legends) == 5
    for legend in legends:
        assert legend.get_window_extent().y0 >= legend.axes.get_window_extent().y1 - 1


def test_wall_clock_is_a_second_scale_of_the_learning_curves() -> None:
    assert learning_curves(rows_of(30)).count("minutes of wall clock") == 3
    assert "wall clock" not in learning_curves([row | {"elapsed": None} for row in rows_of(30)])


def test_an_iteration_in_which_no_episode_ended_is_no_failure() -> None:
    rows = rows_of(100)
    for k in range(0, 100, 2):
        rows[k] |= {"episodes": 0, "success": 0.0}
    shares = plots._pooled(rows, "success")
    assert plots.pool_window(rows) == 5
    assert np.isnan(shares[0])
    np.testing.assert_allclose(shares[1:], 0.5)


def test_a_pooled_share_counts_every_episode_once() -> None:
    rows = rows_of(40)
    rows[10] |= {"episodes": 12, "success": 1.0}
    np.testing.assert_allclose(plots._pooled(rows, "success")[9:13], [0.5, (2 + 12) / 16, (2 + 12) / 16, 0.5])


def test_plot_text_is_escaped() -> None:
    svg = term_bars({"task.<b>&$x$": 1.0})
    assert "&lt;b&gt;&amp;$x$" in svg


def test_a_few_wild_values_do_not_flatten_a_learning_curve() -> None:
    rows = [{"steps": i, "elapsed": i, "metrics": {"speed_error": 0.5}} for i in range(200)]
    rows[7]["metrics"] = {"speed_error": 1e6}
    assert "1e6" not in learning_curves(rows)
    assert "1000000" not in learning_curves(rows)
