"""`pyembody reward check, plot, edit`, and training that refuses what the critic refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pyembody.cli import main
from pyembody.commands.task_copy import write_task_folder
from pyembody.spec import find_folder, list_variants, load_learning, load_task, load_train
from pyembody.spec.load import canonical, convert
from pyembody.spec.task import Task
from pyembody.spec.toml_text import to_toml
from pyembody.spec.train import Mbpo, Sac, Train


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A copy of the balance task."""
    return Path(shutil.copytree(find_folder("task", "balance"), tmp_path / "own"))


def change(task: Path, old: str, new: str) -> None:
    path = task / "task.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_check_says_code_place_and_remedy_and_fails_with_2(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(task, '"square(cart_vel)"', '"square(cart_vle)"')
    assert main(["reward", "check", str(task)]) == 2
    shown = capsys.readouterr()
    words = " ".join(shown.out.split())
    assert "E-SIGNAL" in words and "channels.effort" in words and "write cart_vel" in words
    assert shown.err == "pyembody: 1 error, as told above\n"


def test_explain_of_a_faulty_task_says_code_and_remedy(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(task, '"square(cart_vel)"', '"square(cart_vle)"')
    assert main(["reward", "explain", str(task)]) == 2
    shown = capsys.readouterr()
    assert "E-SIGNAL" in shown.out and "write cart_vel" in " ".join(shown.out.split())
    assert shown.err == "pyembody: 1 error, as told above\n"
    assert main(["reward", "explain", str(task), "--robot", "cartpol"]) == 2
    assert "did you mean 'cartpole'" in capsys.readouterr().err


def test_a_file_that_is_no_task_is_a_finding(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(task, "weight = -0.02", 'weight = "-0.02"')
    for target in (task, task / "task.toml"):
        assert main(["reward", "check", str(target)]) == 2
        shown = capsys.readouterr()
        assert "E-TYPE" in shown.out and shown.err == "pyembody: 1 error, as told above\n"


def test_a_warning_fails_with_1_unless_it_is_allowed(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(task, '"square(cart_vel)"', '"log(number(abs(cart_vel), \'m/s\'))"')
    assert main(["reward", "check", str(task)]) == 1
    assert "warnings, as told above; --allow W-INF W-UNBOUNDED lets them pass" in capsys.readouterr().err
    assert main(["reward", "check", str(task), "--allow", "W-INF", "W-UNBOUNDED"]) == 0
    assert main(["reward", "check", str(task), "--allow", "E-NAME"]) == 2


ALONE = """
dt = 0.02
[signals]
error = { kind = "vector", width = 3, unit = "m" }
[channels.task.terms]
near = { expr = "gauss(error, 0.2)" }
"""


def test_a_program_with_its_own_signals_is_checked_without_a_robot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alone.toml"
    path.write_text(ALONE)
    assert main(["reward", "check", str(path)]) == 0
    assert "1 term in 1 channel, 0 observations, 1 signal read, a step of 0.02 s" in capsys.readouterr().out
    path.write_text(ALONE.replace("gauss(error", "gauss(eror"))
    assert main(["reward", "check", str(path)]) == 2
    assert "channels.task.terms.near" in capsys.readouterr().out
    path.write_text(ALONE.replace("gauss(error, 0.2)", "log(square(error[0]) / 1)"))
    assert main(["reward", "check", str(path)]) == 1
    path.write_text(ALONE + "[episode]\nlength_s = 3.0\n")
    assert main(["reward", "check", str(path)]) == 2
    assert main(["reward", "check", str(path), "--audit"]) == 2
    assert "expected a task" in capsys.readouterr().err


def test_check_writes_json(task: Path, tmp_path: Path) -> None:
    change(task, '"square(cart_vel)"', '"square(cart_vel) + cart_pos"')
    assert main(["reward", "check", str(task / "task.toml"), "--json", str(tmp_path / "found.json")]) == 2
    (found,) = [f for f in json.loads((tmp_path / "found.json").read_text())["findings"] if f["severity"] == "E"]
    assert (found["code"], found["path"]) == ("E-UNIT", "channels.effort.terms.speed.expr")
    assert found["span"] == [0, 6] and found["expected"] == "equal units"


def test_training_refuses_a_faulty_program_before_it_makes_a_run(
    task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyembody.envs.vector as vector

    def never(*_: object) -> None:
        raise AssertionError("a simulation was started")

    monkeypatch.setattr(vector.VectorEnv, "__init__", never)
    change(task, '"square(cart_vel)"', '"log(number(-1 - abs(cart_vel), \'m/s\'))"')
    assert main(["train", str(task), "--iterations", "1", "--out", str(tmp_path / "runs")]) == 2
    assert "E-DOMAIN channels.effort.terms.speed.expr" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_plot_writes_a_picture_of_a_term_says_where_and_names_unknown_signals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "center.png"
    axes = ["--x", "pole_angle=-0.5:0.5", "--y", "cart_pos=-1:1"]
    assert main(["reward", "plot", "balance", "center", *axes, "--size", "21", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["1", str(out)]
    monkeypatch.chdir(tmp_path)
    assert main(["reward", "plot", "balance", "center", *axes, "--size", "2"]) == 0
    assert f"wrote {tmp_path / 'reward.png'} (--out FILE: elsewhere)" in capsys.readouterr().out
    plane = (tmp_path / "reward.png").read_bytes()
    assert main(["reward", "plot", "balance", "center", *axes[:2]]) == 0
    assert f"wrote {tmp_path / 'reward-2.png'}" in capsys.readouterr().out
    assert (tmp_path / "reward.png").read_bytes() == plane != (tmp_path / "reward-2.png").read_bytes()
    assert main(["reward", "plot", "balance", "center", "--x", "pole_angel=0:1", "--y", "cart_pos=0:1"]) == 2
    assert "did you mean 'pole_angle'" in capsys.readouterr().err
    assert main(["reward", "plot", "balance", "center", "--x", "pole_vel=0:1", "--out", str(out)]) == 2
    assert "plot: center does not read pole_vel; it reads cart_pos" in capsys.readouterr().err
    assert main(["reward", "plot", "balance", "centre", *axes]) == 2
    assert "unknown term or channel 'centre'" in capsys.readouterr().err


def test_edit_shows_pay_before_and_after_and_writes_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edits = ["effort.force.weight=-0.01", 'channels.task.terms.upright.expr="laplace(pole_angle, 0.2)"']
    short = ["--seconds", "0.5"]
    assert main(["reward", "edit", "balance", *edits, *short]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines() if line.strip().startswith(("effort", "task."))]
    rows = {name: numbers for name, *numbers in lines}
    assert set(rows) == {"effort.force", "task.upright"}
    before, after, _ = (float(x) for x in rows["effort.force"])
    assert after == pytest.approx(10 * before, rel=1e-3) and before < 0
    assert not list(tmp_path.iterdir())
    assert main(["reward", "edit", "balance", *edits, *short, "--write", "new.toml"]) == 0
    assert "to train it, write a task folder: --write FOLDER" in capsys.readouterr().out
    assert main(["reward", "check", "new.toml"]) == 0
    assert main(["reward", "edit", "balance", *edits, *short, "--write", "new.toml"]) == 2


def test_an_edit_written_as_a_folder_is_a_task_for_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edit = ["effort.force.weight=-0.01", "--seconds", "0.1", "--write", "own"]
    assert main(["reward", "edit", "balance", *edit]) == 0
    assert capsys.readouterr().out.endswith("wrote own/\nnext: pyembody train ./own\n")
    assert load_task("./own").channels["effort"].terms["force"].weight == -0.01
    assert list_variants("./own") == list_variants("balance") and load_train("./own") == load_train("balance")
    assert main(["reward", "edit", "balance", *edit]) == 2
    for command in (["reward", "explain"], ["reward", "check"], ["train", "--dry-run"]):
        assert main([*command, "./own"]) == 0
    assert main(["reward", "edit", "./own", "effort.force.weight=-0.02", "--seconds", "0.1", "--write", "a/b"]) == 0
    assert load_task("a/b").channels["effort"].terms["force"].weight == -0.02
    assert not list(tmp_path.glob("**/.*.tmp")) and not (tmp_path / "own" / "golden.json").exists()


def test_an_edited_variant_is_a_folder_without_variants_that_learns_as_the_variant_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from msgspec.structs import replace

    monkeypatch.chdir(tmp_path)
    variant = load_task("velocity", "deployable")
    write_task_folder(variant, Path("own"))
    assert list_variants("./own") == [] and load_train("./own") == load_train("velocity", "deployable")
    assert canonical(load_task("./own")) == canonical(replace(variant, variant=""))


@pytest.mark.parametrize("algorithm", ["ppo", "sac", "mbpo"])
def test_a_task_without_settings_of_learning_has_the_defaults(task: Path, algorithm: str) -> None:
    (task / "train.toml").unlink()
    assert load_learning(str(task), algorithm=algorithm) == {"ppo": Train, "sac": Sac, "mbpo": Mbpo}[algorithm]()
    assert main(["train", str(task), "--algorithm", algorithm, "--dry-run"]) == 0


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("effort.force.weigth=1", "did you mean 'effort.force.weight'"),
        ("effort.force.weight", "expected NAME=VALUE"),
        ("effort.force.weight=NaN", "expected a finite number"),
        ("task.upright.sigma=-1", "expected a scale above 0"),
        ("channels.effort.terms.force.weight=heavy", "weight"),
    ],
)
def test_an_edit_that_is_not_legal_is_one_line(edit: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reward", "edit", "balance", edit]) == 2
    shown = capsys.readouterr().err
    assert words in shown and shown.count("\n") == 1


@pytest.mark.parametrize(("name", "variant"), [("velocity", ""), ("velocity", "deployable"), ("balance", "")])
def test_a_task_written_as_toml_is_the_same_task(name: str, variant: str) -> None:
    import tomllib

    from msgspec.structs import replace

    task = load_task(name, variant)
    again = convert(tomllib.loads(to_toml(task)), Task, "task")
    assert canonical(again) == canonical(replace(task, variant=""))
