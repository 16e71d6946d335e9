"""The benchmarks measure what they say and write the rows they promise."""

from __future__ import annotations

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest

from pyembody.bench import Row, Settings, list_families, listening, run_family
from pyembody.bench.bare import BareLoop
from pyembody.bench.row import compare, load_goals
from pyembody.bench.stepping import draw_actions, record_rows
from pyembody.bench.timing import MIN_ROUNDS, Case, interleave
from pyembody.cli import main
from pyembody.commands import bench as bench_command
from pyembody.envs import make_vec
from pyembody.spec import SpecError

TINY = Settings(
    seconds=0.0,
    threads=1,
    num_envs=32,
    ant_envs=2,
    steps=4,
    iterations=3,
    workers=1,
    cheetah_samples=128,
    rows=(70,),
    compiled=False,
    updates=((70, 16),),
    worlds=(((16, 16), 70, 2),),
)
KEYS = {"family", "case", "peer", "ours", "theirs", "unit", "ratio", "goal", "spread"}


def test_families_are_the_files_of_their_folder() -> None:
    assert list_families() == ["env", "learn", "plan", "returns", "reward", "train", "world"]


def test_unknown_family_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'train'"):
        run_family("trian", TINY)


def test_every_goal_belongs_to_a_family() -> None:
    assert set(load_goals()) <= set(list_families())


@pytest.mark.parametrize("family", ["env", "learn", "returns", "reward", "train", "world"])
def test_a_family_measures_the_limit_and_names_what_it_left_out(family: str) -> None:
    result = run_family(family, TINY)
    assert "limit" in {row.peer for row in result.rows}
    for row in result.rows:
        assert row.family == family
        assert row.ours > 0
        assert row.ratio == pytest.approx(row.ours / row.theirs)
    assert all("pip install" in line or "torch-compile" in line for line in result.left_out)


def test_the_command_writes_the_promised_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = compare("env", "step/go2/256", "env-steps/s", {"ours": [2.0, 4.0], "limit": [4.0, 4.0]})
    monkeypatch.setattr("pyembody.bench.run_family", lambda *_: bench_result(rows))
    file = tmp_path / "rows.json"
    assert main(["bench", "env", "--json", str(file)]) == 0
    written = json.loads(file.read_text())
    assert [set(row) for row in written] == [KEYS]
    assert written[0]["ratio"] == 0.75
    assert written[0]["goal"] == 0.9
    assert "left out: nothing" in capsys.readouterr().out


def bench_result(rows: list[Row]) -> object:
    from pyembody.bench import Result

    return Result(rows, ["nothing"])


def test_a_case_is_printed_with_its_missed_goals_and_unsteady_figures_in_eighty_columns() -> None:
    rates = {"ours": [1.2e6, 1.2e6, 1.2e6], "limit": [2e6, 2e6, 2e6], "torch-all-members": [1e3, 2e3, 9e3]}
    text = bench_command.case_text(compare("env", "step/go2/256", "env-steps/s", rates))
    title, limit, torch = text.strip().splitlines()
    assert title == "[bold]env step/go2/256[/], env-steps/s"
    assert limit.split() == ["limit", "[red]", "0.60[/]", "goal", "0.90", "1.20", "M", "against", "2.00", "M"]
    assert torch.split() == ["torch-all-members", "[green]", "600.00[/]~", "1.20", "M", "against", "2,000"]
    assert all(len(line.replace("[green]", "").replace("[/]", "")) <= 80 for line in (limit, torch))


def test_rows_are_heard_as_soon_as_a_case_is_measured() -> None:
    heard: list[Row] = []
    with listening(heard.extend):
        rows = compare("env", "step", "env-steps/s", {"ours": [1.0], "limit": [2.0, 2.2, 2.4]})
    compare("env", "other", "env-steps/s", {"ours": [1.0], "limit": [2.0]})
    assert heard == rows
    assert rows[0].spread == pytest.approx(0.2 / 2.2)


def test_interleaving_visits_every_case_in_every_round() -> None:
    order: list[str] = []

    def sampler(name: str) -> float:
        order.append(name)
        return 1.0

    samples = interleave({"a": lambda: sampler("a"), "b": lambda: sampler("b")}, 0.0)
    assert [len(s) for s in samples.values()] == [MIN_ROUNDS, MIN_ROUNDS]
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]


def test_preparation_is_not_timed() -> None:
    done: list[str] = []
    case = Case(lambda: done.append("run") or 5, lambda: done.append("prepare"))
    assert case.sample() > 0
    assert done == ["prepare", "run"]


def test_the_bare_loop_does_the_environments_own_physics() -> None:
    env = make_vec("velocity", "go2", num_envs=3, threads=1)
    env.reset(seed=0)
    actions = draw_actions(2, 3, 12, 0.1)
    rows = record_rows(env, actions)
    bare = BareLoop(env.model, rows, env.built.decimation, 1)
    assert bare.run() == 6
    last = np.zeros(rows.shape[2])
    mujoco.mj_getState(env.model, bare.data[0], last, int(mujoco.mjtState.mjSTATE_INTEGRATION))
    np.testing.assert_array_equal(last, env.batch.state[-1])


def test_the_bare_loop_names_rows_that_do_not_fit() -> None:
    env = make_vec("velocity", "go2", num_envs=1)
    with pytest.raises(ValueError, match="rows: expected float64"):
        BareLoop(env.model, np.zeros((1, 1, 3)), 1, 1)
