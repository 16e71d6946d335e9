"""Commands and the gait clock: ranges, slew, rests."""

from __future__ import annotations

import numpy as np

from pyembody.envs.commands import CommandSource, GaitClock
from pyembody.spec.task import Clock, Command

DT = 0.02
N = 400
SPEC = Command(low=(-1.0, -0.5, -1.0), high=(1.0, 0.5, 1.0))


def started(spec: Command = SPEC) -> tuple[CommandSource, np.random.Generator]:
    source, rng = CommandSource(spec, N, DT), np.random.default_rng(0)
    source.reset(rng, np.arange(N))
    return source, rng


def test_commands_start_at_zero_and_never_change_faster_than_slew() -> None:
    source, rng = started()
    before = source.command.copy()
    assert not before.any()
    for _ in range(600):
        source.advance(rng)
        change = np.abs(source.command - before) / DT
        assert (change <= np.array(SPEC.slew) * 1.001).all()
        before = source.command.copy()


def test_targets_fill_their_range_with_the_declared_share_of_zero_and_turning() -> None:
    source, rng = started()
    targets = []
    for _ in range(20):
        source.reset(rng, np.arange(N))
        targets.append(source.target.copy())
    drawn = np.concatenate(targets)
    assert (drawn >= np.array(SPEC.low)).all() and (drawn <= np.array(SPEC.high)).all()
    assert drawn.max(axis=0).min() > 0.45 and drawn.min(axis=0).max() < -0.45
    zero = ~drawn.any(axis=1)
    turning = ~drawn[:, :2].any(axis=1) & ~zero
    assert abs(zero.mean() - SPEC.zero) < 0.02
    assert abs(turning.mean() - SPEC.turn) < 0.02


def test_held_command_is_reached_and_kept_over_resets() -> None:
    source, rng = started()
    source.hold(np.array([0.5, 0.0, 0.2], np.float32))
    source.reset(rng, np.arange(10))
    for _ in range(600):
        source.advance(rng)
    np.testing.assert_allclose(source.command, np.tile([0.5, 0.0, 0.2], (N, 1)), atol=1e-6)


def test_clock_advances_at_its_frequency_while_moving_and_rests_at_zero_otherwise() -> None:
    clock = GaitClock(Clock(frequency=2.0), 2, DT)
    clock.reset(np.arange(2))
    moving = np.array([True, False])
    for _ in range(10):
        clock.advance(moving)
    np.testing.assert_allclose(clock.phase, [0.4, 0.0], atol=1e-6)
    np.testing.assert_allclose(clock.clock[0], [np.sin(0.8 * np.pi), np.cos(0.8 * np.pi)], atol=1e-5)
    assert not clock.clock[1].any()
    np.testing.assert_allclose(clock.leg_phase[0], [0.4, 0.9, 0.9, 0.4], atol=1e-6)


def test_phase_shifted_by_one_half_turns_the_clock_over() -> None:
    clock = GaitClock(Clock(frequency=2.0), 1, DT)
    clock.reset(np.arange(1))
    seen = []
    for _ in range(25):
        clock.advance(np.array([True]))
        seen.append(clock.clock[0].copy())
    # 2 Hz at 20 ms: half a cycle is 12.5 steps, a whole one 25
    np.testing.assert_allclose(seen[24], [0.0, 1.0], atol=1e-5)
    assert seen[5][0] > 0 > seen[18][0]
