"""The README's example runs as it stands there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from pyembody.cli import main

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_example_in_the_readme_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    assert len(blocks[0].splitlines()) == 12
    example = tmp_path / "example.py"
    example.write_text(blocks[0], encoding="utf-8")
    runpy.run_path(str(example))
    assert "task.track_lin_vel" in capsys.readouterr().out


def test_the_file_in_the_readme_is_a_reward_program_without_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "reward.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["reward", "check", str(path)]) == 0
    assert "2 terms" in capsys.readouterr().out
