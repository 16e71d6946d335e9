"""Ensembles learn what can be learnt, know how unsure they are, and go on where they were stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from pyembody.cli import main
from pyembody.commands.world import useful_steps
from pyembody.data import Dataset
from pyembody.data.dataset import Transitions
from pyembody.data.gather import gather, uniform
from pyembody.data.header import Field
from pyembody.envs import make_vec
from pyembody.spec import SpecError
from pyembody.world import Fit, FitSettings, fit_model, load_model
from pyembody.world.judge import Curve, auc, choosers, curves, one_step, ranking
from pyembody.world.layout import Layout, flatten
from pyembody.world.model import adrift, quats
from pyembody.world.predict import Predictor, bounded
from world_toy import fitted, move, strip

SMALL = FitSettings(hidden=(16, 16), members=3, elites=2, epochs=6, seed=2)
WIDE = FitSettings(hidden=(128, 128), members=3, elites=2, epochs=6, seed=2)
"""Enough work in a step for a second thread."""
FIELDS = (Field("base_pos", 3, adrift=(0, 1)), Field("base_quat", 4, kind="quat"), Field("joint_pos", 2))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    env, path = make_vec("balance", "cartpole", 32), tmp_path_factory.mktemp("data") / "d"
    gather(env, uniform(1, 0), path, 2000)
    env.close()
    return Dataset(path)


def test_a_fit_learns_the_motion_and_how_noisy_it_is() -> None:
    noise = 0.02
    rows = strip(0, noise=noise)
    fit, _ = fitted(rows, 30, batch=32, learning_rate=3e-3)
    ensemble, fresh = fit.ensemble(), strip(1)
    mean, log_var = Predictor(ensemble).moments(fresh.state, fresh.action)
    error = mean.mean(0) - (move(fresh.state, fresh.action) - fresh.state)
    assert np.sqrt((error**2).mean()) < 0.5 * noise
    assert np.exp(0.5 * np.median(log_var)) == pytest.approx(noise, rel=0.3)


def test_losses_fall_and_elites_are_the_best_on_held_out_rows() -> None:
    fit, _ = fitted(strip(0, 4000), 10)
    assert fit.history[-1].loss < fit.history[0].loss
    assert list(fit.ensemble().elites) == np.argsort(fit.errors).tolist()
    assert not set(fit.held) & set(fit.train)
    assert len(fit.held) == len(strip(0, 4000)) // 5


def test_fitting_stops_when_nothing_is_gained() -> None:
    rng = np.random.default_rng(0)
    state, action = rng.standard_normal((2, 400, 1), dtype=np.float32)
    no = np.zeros(400, np.bool_)
    noise = rng.standard_normal((400, 1), dtype=np.float32)
    rows = Transitions(state, action, state + noise, np.zeros((400, 0), np.float32), no, no)
    fit = Fit(rows, FitSettings(hidden=(8,), members=2, elites=1, patience=3, learning_rate=0.02))
    while not fit.done:
        fit.epoch()
    assert fit.epochs < 100 and [e.stale for e in fit.history[-3:]] == [1, 2, 3]


def test_units_of_the_state_are_folded_into_the_last_layer() -> None:
    rows = strip(0, 4000)
    far = Transitions(1000 * rows.state, rows.action, 1000 * rows.successor, *(
        getattr(rows, n) for n in ("channels", "terminated", "truncated")))
    (one, _), (other, _) = fitted(rows, 4), fitted(far, 4)
    (mean, log_var), (wide, wide_var) = (
        Predictor(f.ensemble()).moments(r.state[:50], r.action[:50]) for f, r in ((one, rows), (other, far))
    )
    np.testing.assert_allclose(wide, 1000 * mean, rtol=0.02, atol=0.5)
    np.testing.assert_allclose(wide_var - 2 * np.log(1000), log_var, atol=0.05)


def test_the_core_evaluates_an_ensemble_as_numpy_does() -> None:
    fit, _ = fitted(strip(0, 2000), 2)
    own, rows = fit.ensemble(), strip(3, 200)
    x = np.concatenate([(rows.state - own.state_mean) / own.state_std,
                        (rows.action - own.action_mean) / own.action_std], axis=1)
    for k, (weight, bias) in enumerate(zip(own.weights, own.biases, strict=True)):
        x = x @ weight + bias
        x = x / (1 + np.exp(-x)) if k < len(own.weights) - 1 else x
    mean, log_var = Predictor(own).moments(rows.state, rows.action)
    np.testing.assert_allclose(mean, x[..., :2], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_var, bounded(x[..., 2:], own.log_var_min, own.log_var_max), rtol=1e-4, atol=1e-4)
    assert (log_var > own.log_var_min).all()


def test_lanes_that_are_adrift_change_no_prediction() -> None:
    rows = strip(0, 2000)
    fit = Fit(rows, SMALL, np.array([True, False]))
    fit.epoch()
    predictor, state = Predictor(fit.ensemble()), rows.state[:20]
    moved = state + np.array([50, 0], np.float32)
    for one, other in zip(predictor.moments(state, rows.action[:20]), predictor.moments(moved, rows.action[:20]),
                          strict=True):
        np.testing.assert_array_equal(one, other)
    assert adrift(FIELDS).tolist() == [True, True] + [False] * 7


def test_quaternions_stay_of_unit_length() -> None:
    assert quats(FIELDS) == (3,)
    fit, _ = fitted(strip(0, 2000), 1)
    predictor = Predictor(fit.ensemble(), quats(FIELDS))
    settled = predictor.settle(np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(settled[:, 3:7], axis=1), 1, rtol=1e-6)


def test_a_layout_gives_back_what_was_put_in() -> None:
    layout = Layout(3, (5, 7, 2), "relu", 4)
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((3, i, o), dtype=np.float32) for i, o in ((5, 7), (7, 2))]
    biases = [rng.standard_normal((3, 1, o), dtype=np.float32) for o in (7, 2)]
    found = layout.views(flatten(layout, weights, biases))
    for given, kept in zip((weights, biases), found, strict=True):
        for one, other in zip(given, kept, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_fit_that_was_stopped_ends_with_the_same_bits(dataset: Dataset, tmp_path: Path) -> None:
    whole = fit_model(dataset, tmp_path / "whole", WIDE, threads=2)
    for last in (2, 5):

        def stop(epoch: object, last: int = last) -> None:
            if epoch.number == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_model(dataset, tmp_path / "parts", WIDE, report=stop)
        with pytest.raises(SpecError, match="its fit was stopped before the end"):
            load_model(tmp_path / "parts")
    parts = fit_model(dataset, tmp_path / "parts", WIDE, threads=1)
    for one, other in zip(whole.ensemble.weights, parts.ensemble.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert parts.spec == whole.spec
    assert sorted(p.name for p in (tmp_path / "parts").iterdir()) == ["model.json", "model.safetensors"]
    with pytest.raises(SpecError, match="settings: expected .* got a fit of"):
        fit_model(dataset, tmp_path / "parts", FitSettings())


def test_a_step_that_is_no_number_is_named_and_moves_nothing() -> None:
    fit = Fit(strip(0, 2000), msgspec.structs.replace(SMALL, learning_rate=1e30))
    with pytest.raises(SpecError, match="epoch 1, step 2: .* of member 0, member 1, .*; lower learning_rate"):
        fit.epoch()
    assert fit.steps == 1 and fit.epochs == 0 and all(np.isfinite(x).all() for x in (fit.flat, fit.mean, fit.square))


def test_a_member_that_is_no_number_is_named_before_it_reaches_the_others() -> None:
    fit = Fit(strip(0, 2000), SMALL)
    fit.layout.views(fit.flat)[1][0][1] = np.nan  # the first biases of member 1
    before = fit.flat.copy()
    with pytest.raises(SpecError, match="epoch 1, step 1: not finite: loss or gradient of member 1; lower"):
        fit.epoch()
    np.testing.assert_array_equal(fit.flat, before)
    assert np.isfinite(fit.layout.extras(fit.flat)).all()


def test_rows_that_are_no_numbers_are_named() -> None:
    rows = strip(0, 2000)
    rows.successor[7, 1] = np.inf
    with pytest.raises(SpecError, match=r"rows: successor\[7, 1\]: expected a finite number, got inf"):
        Fit(rows, SMALL)


def test_damaged_models_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    fit_model(dataset, folder, SMALL)
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SpecError, match=r"model.safetensors: damaged"):
        load_model(folder)
    path.write_bytes(whole)
    spec = (folder / "model.json").read_text()
    (folder / "model.json").write_text(spec.replace('"silu"', '"sulu"'))
    with pytest.raises(SpecError, match="did you mean 'silu'"):
        load_model(folder)
    with pytest.raises(SpecError, match="expected the folder of a model"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        ((1.0, 2.0, 3.0), "up to step 3, the last"),
        ((1.0, 3.5, 3.0), "up to step 1, not beyond"),
        ((3.0, 3.0, 3.0), "of no use"),
    ],
)
def test_a_report_says_for_how_long_a_model_helps(mean: tuple[float, ...], words: str) -> None:
    still = (2.0, 3.0, 4.0)
    assert words in useful_steps({"still": Curve(still, still, still), "mean": Curve(mean, mean, mean)})


def test_a_report_tells_a_good_model_from_standing_still(dataset: Dataset, tmp_path: Path) -> None:
    model = fit_model(dataset, tmp_path / "m", FitSettings(hidden=(32, 32), members=3, elites=2, epochs=40))
    rows = dataset.transitions(model.names)
    single = one_step(model, rows)
    assert single.explained["cart_pos"] > 0.95 and single.rmse["cart_pos"] < 0.01
    assert single.miscalibration < 0.2 and list(single.coverage) == ["0.5", "0.8", "0.9", "0.95"]
    grown = curves(model, dataset.windows(5, 50, 0, model.names), choosers(model, 0))
    for way in ("sampled", "mean", "agreed", "oracle"):
        assert len(grown[way].median) == 5 and grown[way].median[0] < 0.5 * grown["still"].median[0]
    assert grown["oracle"].median[-1] <= grown["sampled"].median[-1]
    assert ranking(model, rows, None, 0)["disagreement"] > 0.4


def test_areas_are_those_of_pairs() -> None:
    scores, positive = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True])
    assert auc(scores, positive) == (0.5 + 1 + 1 + 1) / 4
    assert auc(-scores, positive) == pytest.approx(1 - auc(scores, positive))


def test_what_cannot_be_fitted_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected at least 10 transitions, got 3"):
        Fit(strip(0, 2000).rows(np.arange(3)), SMALL)
    with pytest.raises(SpecError, match="elites: expected at most the 2 members, got 5"):
        Fit(strip(0, 2000), FitSettings(members=2))
    with pytest.raises(SpecError, match="unknown signal 'cart_pas', did you mean 'cart_pos'"):
        fit_model(dataset, tmp_path / "m", SMALL, ["cart_pas"])


def test_the_commands_fit_reward_and_report(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = str(dataset.folder)
    small = ["--hidden", "16", "--members", "3", "--elites", "2", "--epochs", "3"]
    assert main(["world", "fit", data, "--out", "m", *small]) == 0
    assert main(["world", "reward", "m", data, "--updates", "30", "--discriminators", "3"]) == 0
    assert main(["world", "report", "m", "--data", data, "--steps", "5", "--json", "figures.json"]) == 0
    shown = capsys.readouterr().out
    assert "epoch 3 of at most 3:" in shown and "3 discriminators" in shown and "credibility" in shown
    assert "softmax" in shown
    assert (tmp_path / "figures.json").stat().st_size > 500
    assert main(["world", "report", "m", "--data", "nowhere"]) == 2
    assert "expected the folder of a dataset" in capsys.readouterr().err
