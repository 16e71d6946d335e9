"""Every error of the command line is one line on standard error with the right exit code."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from pyembody import cli
from pyembody.cli import main
from pyembody.commands.doctor import Doctor
from pyembody.spec.files import atomic_path

BAD_INPUT = [
    (["trian"], "did you mean 'train'"),
    (["train"], "pyembody: train: expected TASK; see pyembody train --help"),
    (["reward"], "pyembody: expected one of {check, explain, plot, edit}"),
    (["train", "velocity", "--num-envs", "7", "--workers", "2"], "expected a divisor of num_envs = 7, got 2"),
    (["train", "balance", "--robot", "go2"], "balance on go2: "),
    (["train", "velocty"], "did you mean 'velocity'"),
    (["train", "velocity", "--robot", "go3"], "did you mean 'go2'"),
    (["train", "velocity", "--variant", "deploy"], "did you mean 'deployable'"),
    (["train", "velocity", "--robt", "go2"], "did you mean '--robot'"),
    (["train", "velocity", "--iterations", "many"], "--iterations"),
    (["train", "velocity", "--iterations", "-1"], "--iterations: expected at least 0"),
    (["train", "velocity", "--say", "do a backflip on the moon"], "--say"),
    (["train", "./nowhere"], "expected a folder with a task.toml"),
    (["resume", "nowhere"], "does not exist"),
    (["eval", "nowhere"], "does not exist"),
    (["view", "latest", "--command", "fast"], 'such as "0.5 0 0", got 1: "fast"'),
    (["view", "latest", "--command", "1 0 left"], "'left' is no number"),
    (["view", "latest", "--command", "1 0 nan"], "each within 100 of zero, got nan"),
    (["train", "velocity", "--say", ""], 'expected a sentence such as "trot forward at 1 m/s", got nothing'),
    (["train", "velocity", "--say", "  "], "--say: expected a sentence"),
    (["reward", "explain", "velocity", "--say", ""], "--say: expected a sentence"),
    (["view", "latest", "--seconds", "nan"], "--seconds"),
    (["view", "latest", "--renderer", "vulkan"], "raycast"),
    (["report"], "no run in"),
    (["list", "things"], "robots"),
    (["robot", "shw", "go2"], "show, check, import"),
    (["robot", "show", "go3"], "did you mean 'go2'"),
    (["robot", "import", "nowhere.xml"], "nowhere.xml"),
    (["reward", "explain", "velocty"], "did you mean 'velocity'"),
    (["bench", "evn"], "did you mean 'env'"),
    (["bench", "env", "--json", "nowhere/rows.json"], "no such folder"),
    (["eval", "latest", "--seeds", "0", "0"], "--seeds"),
    (["dataset", "mak"], "expected one of make, info, export, import"),
    (["dataset", "make", "velocty"], "did you mean 'velocity'"),
    (["dataset", "make", "balance", "--kind", "mixd"], "medium"),
    (["dataset", "make", "balance", "--run", "latest"], "a random dataset is not made from a run"),
    (["dataset", "info", "nowhere"], "expected the folder of a dataset"),
    (["world", "fit", "nowhere"], "expected the folder of a dataset"),
    (["world", "report", "nowhere", "--data", "nowhere"], "expected the folder of a model"),
    (["train", "balance", "--workers", "2", "--record", "d"], "--record: expected one worker, got 2"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT, ids=[" ".join(a)[:40] for a, _ in BAD_INPUT])
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("pyembody: ")
    assert words in captured.err
    assert not list(tmp_path.iterdir())


def _raise(error: BaseException) -> object:
    def run(_: object) -> int:
        raise error

    return run


def test_failures_are_one_line_and_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Doctor, "run", _raise(RuntimeError("broken\nin two lines")))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "pyembody: broken in two lines\n"


def test_interruption_gives_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Doctor, "run", _raise(KeyboardInterrupt("stopped; go on with: resume")))
    assert main(["doctor"]) == 130
    assert "go on with: resume" in capsys.readouterr().err


def test_an_error_of_the_file_system_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(28, "No space left on device", "runs/a")
    monkeypatch.setattr(Doctor, "run", _raise(error))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "pyembody: runs/a: No space left on device\n"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Doctor, "run", _raise(RuntimeError("broken")))
    assert main(["doctor", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_no_argument_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in cli.COMMANDS)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pyembody ")


def test_a_command_that_is_terminated_leaves_no_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def write_half(_: Doctor) -> int:
        with atomic_path(tmp_path / "video.mp4") as temporary:
            temporary.write_bytes(b"half")
            seen.extend(tmp_path.iterdir())
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5.0)
        return 0

    monkeypatch.setattr(Doctor, "run", write_half)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["doctor"]) == 143
    assert capsys.readouterr().err == "pyembody: terminated\n"
    assert seen and not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before
