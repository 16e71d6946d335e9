"""What `bench reward` compares computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyembody.bench.reward import COLUMNS, Floats, bind_rows, draw_rows, legged_weights, load_reward
from pyembody.bench.reward.guards import without_guards
from pyembody.bench.reward.limit import HandFused
from pyembody.bench.reward.numba_peer import NumbaTerms
from pyembody.bench.reward.numpy_peers import CallableTerms, NumpyTerms, numpy_signals
from pyembody.bench.reward.sets import ParameterSets
from pyembody.bench.reward.torch_peers import TorchTerms

N = 201
PEERS: dict[str, Any] = {
    "limit": lambda rows, weights: HandFused(rows, weights, 1),
    "numpy": NumpyTerms,
    "numba": lambda rows, weights: NumbaTerms(rows, weights, 1),
    "torch-eager": lambda rows, weights: TorchTerms(numpy_signals(rows), weights, compiled=False),
    "callables": CallableTerms,
}


@pytest.fixture(scope="module")
def rows() -> Floats:
    return draw_rows(N)


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_writes_the_same_terms(peer: str, rows: Floats) -> None:
    ours = bind_rows(load_reward("legged"), rows)
    theirs = PEERS[peer](rows, legged_weights())
    ours.step()
    theirs.step()
    for name, values in (("raw", theirs.raw), ("weighted", theirs.weighted), ("channels", theirs.total[:, None])):
        np.testing.assert_allclose(values, ours.outputs[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["legged", "forty"])
def test_programs_equal_their_twin(name: str, rows: Floats) -> None:
    program = load_reward(name)
    bound = bind_rows(program, rows)
    bound.step()
    twin = program.reference(N).step({signal: rows[:, columns] for signal, columns in COLUMNS.items()})
    for group, values in twin.items():
        np.testing.assert_allclose(bound.outputs[group], values, rtol=2e-6, atol=1e-6)
        assert (np.abs(values).sum(axis=0) > 0).all(), group


def test_without_guards_the_values_are_the_same(rows: Floats) -> None:
    program = load_reward("forty")
    guarded, plain = bind_rows(program, rows), bind_rows(program, rows, core=without_guards(program))
    guarded.step()
    plain.step()
    for group, values in guarded.outputs.items():
        np.testing.assert_array_equal(plain.outputs[group], values)


def test_sets_of_weights_equal_numba_passes(rows: Floats) -> None:
    program = load_reward("legged").only(["channels"])
    params = np.tile(program.defaults, (3, 1))
    params[1:, :12] *= np.float32(2)
    sets, fused = ParameterSets(program, rows, params, 1), NumbaTerms(rows, 2 * legged_weights(), 1)
    sets.step()
    fused.totals()
    np.testing.assert_allclose(sets.totals[1, 0, :, 0], fused.total, rtol=1e-4, atol=1e-5)
