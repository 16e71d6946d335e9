"""Everything that changes while environments run, by name: saved and restored for an exact resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError

if TYPE_CHECKING:
    from .vector import VectorEnv

WORD = (1 << 64) - 1


def save(env: VectorEnv) -> dict[str, NDArray[Any]]:
    """Return copies of all arrays that hold the state of `env`, random numbers included."""
    copies = {name: array.copy() for name, array in _live(env).items()}
    return copies | env._learned.saved_versions() | {"random": _random_state(env._rng)}


def load(env: VectorEnv, state: Mapping[str, NDArray[Any]]) -> None:
    """Put `env` into a saved state. Raises SpecError naming an array that is missing or of another shape."""
    live = _live(env)
    env._learned.check_versions(state)
    for name, array in live.items():
        if name not in state:
            raise SpecError(f"environment state: missing array '{name}'")
        if state[name].shape != array.shape or state[name].dtype != array.dtype:
            raise SpecError(
                f"environment state: {name}: expected {array.dtype}{array.shape},"
                f" got {state[name].dtype}{state[name].shape}"
            )
    for name, array in live.items():
        array[...] = state[name]
    if env._randomizer.inertial:
        env.batch.set_const()
    _set_random_state(env._rng, state["random"])


def _live(env: VectorEnv) -> dict[str, NDArray[Any]]:
    """The arrays themselves, by name."""
    arrays: dict[str, NDArray[Any]] = {
        "physics": env.batch.state, "memory": env.running.state.array, "params": env.params, "steps": env._steps,
        "done": env._done, "action": env.action, "delay.steps": env._delay.steps, "delay.past": env._delay.past,
        "sensing.frames": env._sensing.frames,
    }
    arrays |= {f"output.{name}": array for name, array in env.outputs.items()}
    arrays |= {f"model.{name}": array for name, array in env._randomizer.fields.items()}
    arrays |= env._learned.arrays | {"moments": env.running.moments.array, "truncation": env._truncation}
    if env._commands:
        arrays |= {f"command.{k}": getattr(env._commands, k) for k in ("command", "target", "timer", "moving", "held")}
    if env.skills:
        arrays |= {"skill": env.skills.skill, "skill.held": env.skills.held}
    arrays |= env.running.rows
    if env._clock:
        arrays |= {f"clock.{k}": getattr(env._clock, k) for k in ("phase", "clock", "leg_phase")}
    if env._pushes:
        arrays["push.timer"] = env._pushes.timer
    return arrays


def _random_state(rng: np.random.Generator) -> NDArray[np.uint64]:
    """PCG64's two 128-bit numbers, low word first, then its spare 32 bits."""
    state: dict[str, Any] = dict(rng.bit_generator.state)
    numbers = (state["state"]["state"], state["state"]["inc"])
    words = [n >> shift & WORD for n in numbers for shift in (0, 64)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], np.uint64)


def _set_random_state(rng: np.random.Generator, words: NDArray[np.uint64]) -> None:
    low, high, inc_low, inc_high, has_uint32, uinteger = (int(w) for w in words)
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_uint32, "uinteger": uinteger,
    }
