"""`pyembody reward` on a FILE, a reward program by itself: explained, plotted, edited on a log; what it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyembody import RewardProgram
from pyembody.cli import main
from pyembody.program.critic import check_alone
from pyembody.spec import SpecError, find_folder
from pyembody.spec.standalone import read_standalone

ALONE = """
dt = 0.02
[signals]
error = { kind = "vector", width = 3, unit = "m" }
base_quat = { kind = "quat", width = 4, frame = "world", local = "body" }
spare = {}
[params]
tall = { value = 2.0, per_env = true }
[channels.task.terms]
near = { expr = "gauss(error, 0.2)", weight = 1.5 }
flat = { expr = "gravity(base_quat)[2] + 1" }
quiet = { expr = "normsq(clip(rate(error), -1, 1)) * tall", weight = -0.01 }
"""
BY_ITSELF = "alone.toml is a reward program by itself; expected a task, which a robot can run"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the program, and the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    Path("alone.toml").write_text(ALONE)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command prints, runs of blanks as one."""
    assert main(arguments) == code
    shown = capsys.readouterr()
    return " ".join((shown.out + shown.err).split())


def test_a_file_is_explained_with_its_signals_and_without_an_episode(capsys: pytest.CaptureFixture[str]) -> None:
    words = said(capsys, "reward", "explain", "alone.toml")
    assert "error vector [N, 3] m" in words and "near 1.5 rate 1 gauss(error, 0.2)" in words
    assert "task near 0.03 0 0.03" in words and "episode" not in words
    assert "alone.toml: 3 terms in 1 channel" in words
    Path("alone.toml").write_text(ALONE.replace("gauss(error", "gauss(eror"))
    assert "write error" in said(capsys, "reward", "explain", "alone.toml", code=2)


def test_a_file_is_plotted_over_zeros_and_no_rotation(capsys: pytest.CaptureFixture[str]) -> None:
    x = ["--x", "error[0]=-1:1", "--size", "21", "--out", "a.png"]
    assert f"near: {np.exp(-5):.4g} to 1" in said(capsys, "reward", "plot", "alone.toml", "near", *x)
    assert "near: 0 to 0" not in said(capsys, "reward", "plot", "alone.toml", "near", *x, "--at", "error[1]=0.1")
    words = said(capsys, "reward", "plot", "alone.toml", "flat", *x, code=2)
    assert "flat does not read error; it reads base_quat" in words
    turned = ["--x", "base_quat[1]=-1:1", "--size", "21", "--out", "a.png"]
    assert "flat: 0 to 2" in said(capsys, "reward", "plot", "alone.toml", "flat", *turned)
    unread = ["--x", "error[0]=0:1", "--at", "spare=1"]
    assert "does not read spare; it reads base_quat, error" in said(
        capsys, "reward", "plot", "alone.toml", "near", *unread, code=2
    )
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_an_edit_of_a_file_is_paid_on_a_log_and_written_as_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    error, resets = np.zeros((50, 4, 3)), np.arange(50)[:, None] % 25 == np.zeros(4)
    error[::2, :, 0] = 1.0  # moves 1 m a step: the clipped rate is 1 in every step that pays
    level = np.tile([1.0, 0, 0, 0], (50, 4, 1))
    np.savez("log.npz", error=error, base_quat=level, spare=np.ones((50, 4)), resets=resets)
    edits = ["quiet.weight=-0.1", 'channels.task.terms.flat.expr="spare"', "--write", "new.toml"]
    words = said(capsys, "reward", "edit", "alone.toml", *edits, "--log", "log.npz")
    assert "pay per second on 192 recorded steps" in words
    assert "task.quiet -0.02 -0.2 -0.18" in words and "task.flat 0 1 +1" in words and "task.near" not in words
    new, old = read_standalone(Path("new.toml")), read_standalone(Path("alone.toml"))
    assert (new.dt, new.signals, new.task.params) == (old.dt, old.signals, old.task.params)
    assert RewardProgram("new.toml").get("quiet.weight") == pytest.approx(-0.1)
    assert "exists already" in said(capsys, "reward", "edit", "alone.toml", *edits, code=2)
    assert "--log FILE.npz" in said(capsys, "reward", "edit", "alone.toml", edits[0])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"error": np.zeros((5, 4, 3))}, "'base_quat' is missing"),
        ({"error": np.zeros((5, 3)), "base_quat": np.ones((5, 4, 4))}, "error: expected [5, 4, 3], got [5, 3]"),
        (
            {"error": np.zeros((5, 4, 3)), "base_quat": np.ones((5, 4, 4)), "resets": np.zeros((4, 5))},
            "resets: expected [5, 4], got [4, 5]",
        ),
    ],
)
def test_a_log_that_does_not_fit_says_what_is_due(
    arrays: dict[str, np.ndarray], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("log.npz", **arrays)
    edit = ["reward", "edit", "alone.toml", "quiet.weight=-0.1", "--log"]
    assert words in said(capsys, *edit, "log.npz", code=2)
    assert "expected an .npz file" in said(capsys, *edit, "alone.toml", code=2)
    assert "no.npz: expected an .npz file" in said(capsys, *edit, "no.npz", code=2)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train", "alone.toml"], BY_ITSELF),
        (["dataset", "make", "alone.toml"], BY_ITSELF),
        (["reward", "check", "alone.toml", "--audit"], BY_ITSELF),
        (["reward", "check", "alone.toml", "--robot", "go2"], "--robot: expected a task beside it; alone.toml"),
        (["reward", "explain", "alone.toml", "--say", "trot"], "--say: expected a task beside it; alone.toml"),
        (["reward", "plot", "alone.toml", "near", "--x", "error[0]=0:1", "--variant", "v"], "--variant: expected"),
        (["reward", "edit", "alone.toml", "near.weight=1", "--policy", "latest"], "--policy: expected a task"),
        (["reward", "edit", "balance", "force.weight=1", "--log", "log.npz"], "--log: expected a FILE beside it"),
        (["train", "balance", "--robot", "alone.toml"], "expected the name of a robot, or a folder with a robot.toml"),
        *((["reward", action, "nosuch.toml"], "nosuch.toml: no such file") for action in ("check", "explain")),
        (["reward", "plot", "nosuch.toml", "near", "--x", "error[0]=0:1"], "nosuch.toml: no such file"),
        (["reward", "edit", "nosuch.toml", "near.weight=1"], "nosuch.toml: no such file"),
        (["train", "nosuch.toml"], "nosuch.toml: no such file"),
    ],
)
def test_what_cannot_take_a_file_says_what_it_is(
    command: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = said(capsys, *command, code=2)
    assert shown.startswith("pyembody: ") and words in shown


def test_the_task_file_of_a_folder_means_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(find_folder("task", "push") / "task.toml")
    assert find_folder("task", path) == find_folder("task", "push")
    assert "push on arm: 3 terms" in said(capsys, "reward", "check", path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ALONE.replace("[signals]", "[signals"), "(at line 3, column 9)"),
        (ALONE + """[let]\nleft = "joint_pos["left"]"\n""", "(at line 14, column 20): quotes within quotes: '...["),
        ("dt = 0.1\nsignals.x = { unit = 'm'", "(at line 2, column 25, the end of the file)"),
        ("", "line 1, column 1: expected a task, or a program's dt"),
        ("# nothing but a comment\n", "got an empty file"),
    ],
)
def test_what_is_no_toml_has_line_and_column_whatever_it_was_to_be(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("alone.toml").write_text(text)
    for action in ("check", "explain"):
        shown = said(capsys, "reward", action, "alone.toml", code=2)
        assert "E-SYNTAX alone.toml" in shown and words in shown
    assert words in said(capsys, "train", "alone.toml", code=2)


def test_check_and_program_agree_about_a_missing_step(capsys: pytest.CaptureFixture[str]) -> None:
    text = ALONE.replace("dt = 0.02", "").replace("gauss(error", "gauss(eror")
    Path("alone.toml").write_text(text)
    program, found = check_alone(Path("alone.toml"))
    told = {f.path: f.message for f in found if f.severity == "E"}
    assert program is not None and set(told) == {"dt", "channels.task.terms.near.expr"}
    with pytest.raises(SpecError, match=f"dt: {told['dt']}"):
        RewardProgram("alone.toml")
    assert "dt = 0.02 in the file's first line" in said(capsys, "reward", "check", "alone.toml", code=2)
    assert {f.path for f in check_alone(text, dt=0.01)[1] if f.severity == "E"} == {"channels.task.terms.near.expr"}
