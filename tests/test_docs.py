"""The recipes of docs/reward_programs.md run as they stand there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

RECIPES = Path(__file__).resolve().parent.parent / "docs" / "reward_programs.md"


def test_the_recipes_run_in_their_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", RECIPES.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 8
    if importlib.util.find_spec("stable_baselines3") is None:
        blocks = [b for b in blocks if "stable_baselines3" not in b]
    script = tmp_path / "recipes.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    spec: Any = importlib.util.spec_from_file_location("recipes", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    printed = capsys.readouterr().out
    assert "(4096,) (4096, 2) (4096, 3) (4096, 9) False" in printed
    assert "(100, 8, 1) [" in printed and "\n('ema(x)',)\n" in printed
    assert "\n[1. 1. 0. 0.]\n" in printed
    assert "task.near: row 1: expected finite" in printed and ": log(d - 1) = nan (d - 1 = -0.5), in" in printed
    assert "'task.upright'" in printed and "'task.effort'" in printed
    assert "unknown function 'my_own_function'" in printed
    assert "['base_velocity', 'root_lin_vel_b', 'joint_pos', 'default_joint_pos', 'action']" in printed
    assert module.rewards.raw[0, 1] == pytest.approx(6 * 0.1**2, rel=1e-5)
