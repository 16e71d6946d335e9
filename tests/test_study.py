"""Studies: files checked, pieces planned, run once each, resumed, and summed up with intervals."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pyembody import cli
from pyembody.bench.run import list_families
from pyembody.learn import create_run, read_metrics, train
from pyembody.spec import SpecError
from pyembody.study import Study, list_studies, load_study, plan_pieces, run_study
from pyembody.study.figure import write_figure
from pyembody.study.offline_data import prepare_data
from pyembody.study.plan import Piece, Result, best_weight, make_specs, piece_hash
from pyembody.study.process import share_cores
from pyembody.study.run import read_results, ready_pieces
from pyembody.study.spec import Arm, Most
from pyembody.study.summary import summarise

TINY = """
name = "tiny"
title = "balance"
task = "balance"
iterations = 2
seeds = [0]
episodes = 4
shaping = ["effort"]
[sweep]
weights = [0.5, 2.0]
seeds = [7]
arms = ["tuned"]
[arms.plain]
title = "plain"
[arms.plain.train]
num_envs = 8
horizon = 8
[arms.tuned]
title = "tuned"
weight = "tuned"
[arms.tuned.train]
num_envs = 8
horizon = 8
[arms.tuned.task.channels.task]
gamma = 0.95
"""


def result(piece: Piece, success: float) -> Result:
    return Result(piece, "", success, {"m": success}, [10, 20], [0.0, success], [1.0, 3.0], 1.0)


def written(path: Path, text: str = TINY) -> str:
    path.write_text(text)
    return str(path)


@pytest.fixture
def tiny(tmp_path: Path) -> Study:
    return load_study(written(tmp_path / "tiny.toml"))


@pytest.mark.parametrize("name", list_studies())
def test_every_arm_of_a_shipped_study_is_a_legal_training(name: str, tmp_path: Path) -> None:
    study = load_study(name)
    budgets, taught = set(), {arm.skills_of for arm in study.arms.values()}
    for name, arm in study.arms.items():
        task, robot, train = make_specs(study, Piece(name, 0, 1.0), tmp_path)
        assert robot.name == (study.robot or task.robot)
        if name not in taught:
            budgets.add(train.iterations * train.num_envs * train.horizon * (arm.every if arm.skills_of else 1))
    assert len(budgets) == 1


def test_weights_scale_the_shaping_channels_alone(tiny: Study, tmp_path: Path) -> None:
    one = make_specs(tiny, Piece("plain", 0, 1.0), tmp_path)[0].channels
    ten = make_specs(tiny, Piece("plain", 0, 10.0), tmp_path)[0].channels
    assert ten["effort"].weight == 10 * one["effort"].weight
    assert ten["task"].weight == one["task"].weight


def test_a_tuned_arm_waits_for_its_sweep_and_takes_the_best_weight(tiny: Study) -> None:
    swept = [Piece("tuned", 7, 0.5, True), Piece("tuned", 7, 2.0, True)]
    assert plan_pieces(tiny, {}) == [*swept, Piece("plain", 0, 1.0)]
    done = {p.name: result(p, s) for p, s in zip(swept, (0.2, 0.7), strict=True)}
    assert best_weight(tiny, "tuned", done) == 2.0
    assert plan_pieces(tiny, done)[-1] == Piece("tuned", 0, 2.0)


def test_summary_has_intervals_over_seeds_and_judges_preconditions() -> None:
    study = Study("s", "s", "balance", {"a": Arm("a"), "b": Arm("b")}, seeds=(0, 1, 2, 3),
                  preconditions=(Most("a", 0.5, 2.0), Most("a", 0.3), Most("b", 1.0)))
    pieces = [Piece("a", seed, 1.0) for seed in study.seeds]
    done = {p.name: result(p, s) for p, s in zip(pieces, (0.0, 0.4, 0.6, 0.6), strict=True)}
    found = summarise(study, done)
    success = found.arms["a"].success
    assert np.isclose(success.mean, 0.4) and 0 <= success.low < 0.4 < success.high <= 0.6 and success.n == 4
    assert [c.holds for c in found.preconditions] == [True, False, None]
    assert list(found.arms) == ["a"] and found.arms["a"].shaped[-1].mean == 3.0


def test_a_study_runs_each_piece_once_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    name, out = written(tmp_path / "tiny.toml"), tmp_path / "out"
    ran: list[str] = []

    def progress(piece: Piece, done: int, total: int, result: Result | None) -> None:
        if result is None:
            ran.append(piece.name)
        else:
            assert result.piece == piece and 1 <= done <= total

    run_study(name, out, limit=1, progress=progress)
    assert run_study(name, out, limit=0, progress=progress).left == 3
    assert len(ran) == 1 and (out / "pieces" / f"{ran[0]}.json").is_file()
    summary = run_study(name, out, jobs=2, progress=progress)
    assert len(ran) == len(set(ran)) == 4 and summary.left == 0
    assert set(summary.arms) == {"plain", "tuned"} and set(summary.swept["tuned"]) == {"0.5", "2"}
    assert summary.arms["plain"].steps[-1] == 2 * 8 * 8
    run_study(name, out, progress=progress)
    assert len(ran) == 4
    assert write_figure(summary, tmp_path / "figure.svg").read_text().count("<svg") == 1


def test_an_interrupted_study_stops_its_pieces_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    name, out = written(tmp_path / "tiny.toml", TINY.replace("iterations = 2", "iterations = 100000")), tmp_path / "out"

    def interrupt(*_: object) -> None:
        if len(list(out.glob("*.log"))) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(name, out, jobs=2, progress=interrupt)
    assert not list(out.glob("tmp*")) and not list(out.glob("pieces/*"))


@pytest.mark.parametrize("jobs", [1, 2, 3, 100])
def test_pieces_that_run_together_share_all_cores_and_each_has_one(jobs: int) -> None:
    shares, cores = share_cores(jobs), os.sched_getaffinity(0)
    assert len(shares) == jobs and all(shares) and set().union(*shares) == cores
    assert jobs > len(cores) or sum(map(len, shares)) == len(cores)


def test_a_piece_waits_for_the_log_that_it_reads(tiny: Study) -> None:
    study = replace(tiny, arms={"reader": Arm("reader", log_of="plain"), "plain": tiny.arms["plain"]}, sweep=None)
    plain = Piece("plain", 0, 1.0)
    assert ready_pieces(study, {}, []) == [plain]
    assert ready_pieces(study, {}, [plain]) == []
    assert ready_pieces(study, {plain.name: result(plain, 1.0)}, []) == [Piece("reader", 0, 1.0)]


def test_the_figure_without_shaping_shows_the_first_two_metrics(tmp_path: Path) -> None:
    study = Study("s", "s", "balance", {"a": Arm("a")}, seeds=(0, 1))
    pieces = [Piece("a", seed, 1.0) for seed in study.seeds]
    done = {p.name: replace(result(p, 0.5), metrics={"error_left": 0.2, "power": 3.0}) for p in pieces}
    shown = write_figure(summarise(study, done), tmp_path / "figure.svg").read_text()
    assert "error left" in shown and "power" in shown and "shaped return" not in shown


def test_results_of_another_setting_do_not_count(tiny: Study, tmp_path: Path) -> None:
    piece = Piece("plain", 0, 1.0)
    changed = replace(tiny, iterations=3)
    assert piece_hash(tiny, piece, tmp_path) == piece_hash(replace(tiny, seeds=(0, 1)), piece, tmp_path)
    assert piece_hash(tiny, piece, tmp_path) != piece_hash(changed, piece, tmp_path)
    assert read_results(tiny, tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('weight = "tuned"', 'weight = "tune"', "arms.tuned.weight"),
        ('arms = ["tuned"]', 'arms = ["tunde"]', "did you mean 'tuned'"),
        ('arms = ["tuned"]', "arms = []", "expects the arm among sweep.arms"),
        ("seeds = [0]", "seed = [0]", "did you mean 'seeds'"),
    ],
)
def test_a_faulty_study_is_named_with_its_key(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        load_study(written(tmp_path / "bad.toml", TINY.replace(old, new)))


def test_an_arm_that_changes_what_is_not_there_is_refused(tiny: Study, tmp_path: Path) -> None:
    wrong = replace(tiny, arms={"plain": Arm("plain", remove=("channels.effrt.gate",))})
    with pytest.raises(SpecError, match="no key 'channels.effrt.gate'"):
        make_specs(wrong, Piece("plain", 0, 1.0), tmp_path)
    wrong = replace(tiny, arms={"plain": Arm("plain", train={"iteration": 3})})
    with pytest.raises(SpecError, match="did you mean 'iterations'"):
        make_specs(wrong, Piece("plain", 0, 1.0), tmp_path)


OFFLINE = """
name = "off"
title = "balance, offline"
task = "balance"
iterations = 1
seeds = [0]
episodes = 4
[data]
kinds = ["random"]
steps = 320
model = { hidden = [8], epochs = 2 }
[arms.real]
title = "data"
train = { real = 1.0, updates = 2, minibatch = 32, num_envs = 8, horizon = 4 }
[arms.short]
title = "model"
train = { imagined = 2, updates = 2, minibatch = 32, num_envs = 8, horizon = 4 }
"""


def test_arms_that_learn_offline_share_the_data_and_the_model_that_the_study_makes(tmp_path: Path) -> None:
    (tmp_path / "off.toml").write_text(OFFLINE)
    study, out = load_study(str(tmp_path / "off.toml")), tmp_path / "out"
    assert {k: (a.title, a.data) for k, a in study.arms.items()} == {
        "real-random": ("random: data", "random"), "short-random": ("random: model", "random")
    }  # fmt: skip
    first = run_study(str(tmp_path / "off.toml"), out, limit=1)
    made = {path: path.stat().st_mtime_ns for path in (out / "data", out / "models", out / "models.json")}
    assert first.left == 1 and set(json.loads((out / "models.json").read_text())) == {"random"}
    second = run_study(str(tmp_path / "off.toml"), out)
    assert second.left == 0 and list(second.arms) == ["real-random", "short-random"]
    assert made == {path: path.stat().st_mtime_ns for path in made}
    moved = tmp_path / "moved"
    assert piece_hash(study, Piece("short-random", 0, 1.0), out / "runs") == piece_hash(
        study, Piece("short-random", 0, 1.0), moved / "runs"
    )


@pytest.mark.parametrize(("name", "kind"), [("world_walk", "mixed"), ("world_push", "medium")])
def test_the_offline_studies_of_larger_robots_can_be_run(tmp_path: Path, name: str, kind: str) -> None:
    study = load_study(name)
    assert study.data is not None and kind in study.data.kinds
    data = replace(study.data, kinds=(kind,), steps=640, behaviour=2, model={"hidden": [8], "epochs": 2, "members": 3})
    arms = {key: replace(a, train={k: v for k, v in a.train.items() if k != "choose"}) for key, a in study.arms.items()}
    study = replace(study, data=data, arms=arms, iterations=1)
    prepare_data(study, tmp_path)
    assert (tmp_path / "models.json").is_file()
    task, robot, config = make_specs(study, Piece(f"mopo-{kind}", 0, 1.0), tmp_path / "runs")
    run = create_run(task, robot, replace(config, updates=2, num_envs=4), 0, (), tmp_path)
    train(run, progress=False)
    assert read_metrics(run)[-1]["model"]["imagined_length"] >= 1.0


def test_the_command_says_where_results_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written(tmp_path / "tiny.toml")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["study", study, "--arms", "plain", "--json", "copy.json"]) == 0
    said = capsys.readouterr().out
    assert "started: plain, weight 1, seed 0" in said and "1 of 1: plain, weight 1, seed 0: success" in said
    assert "results: runs/studies/tiny/results.json" in said and "figure: runs/studies/tiny/figure.svg" in said
    copy, kept = (tmp_path / name for name in ("copy.json", "runs/studies/tiny/results.json"))
    assert json.loads(copy.read_text()) == json.loads(kept.read_text())
    assert cli.main(["study", study, "--arms", "plian"]) == 2
    assert "did you mean 'plain'" in capsys.readouterr().err


def test_the_help_names_every_study_and_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    for command, names in ((["study"], list_studies()), (["bench", "reward"], [f"{f}: " for f in list_families()])):
        with pytest.raises(SystemExit):
            cli.main([*command, "--help"])
        shown = capsys.readouterr().out
        assert "(default: )" not in shown
        assert [name for name in names if name not in shown] == []
