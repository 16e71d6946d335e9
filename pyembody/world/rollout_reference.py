"""The twin of imagined rollouts: what they mean, in NumPy and double precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import CompiledTask
from . import random_reference as random
from .actor import Actor
from .bfloat16_reference import rounded
from .candidates import Candidates
from .ensemble import Ensemble
from .imagined import Imagined, Precision, empty
from .model_state import ACTION, TRUNCATED, ModelState, columns_of
from .reward import TEMPERATURE, DynamicsReward, combined

Array = NDArray[Any]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x / (1 + np.exp(-x)),
}


FAR = 25.0
"""Where candidates are cut, in deviations of the states."""


def softplus(x: Array) -> Array:
    """Return log(1 + e^x)."""
    return np.logaddexp(0.0, x)


def forward(
    weights: list[Array], biases: list[Array], activation: str, rows: Array, precision: Precision = "float32"
) -> Array:
    """Return a perceptron's outputs for rows `[N, in]`, or those of each of E for `[E, in, out]`. With `bfloat16` the
    inputs of every layer and its weights are rounded; sums, biases and activations are not.
    """
    hidden = rows
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if precision == "bfloat16":
            hidden, weight = rounded(hidden).astype(np.float64), rounded(weight)
        hidden = hidden @ weight.astype(np.float64) + bias
        if i < len(weights) - 1:
            hidden = ACTIVATIONS[activation](hidden)
    return hidden


def predict(
    ensemble: Ensemble, states: Array, actions: Array, precision: Precision = "float32"
) -> tuple[Array, Array]:
    """Return the members' means of s' - s and log variances `[E, N, S]` for `[N, S]` and `[N, A]`."""
    rows = np.concatenate(
        [(states - ensemble.state_mean) / ensemble.state_std, (actions - ensemble.action_mean) / ensemble.action_std], 1
    )
    outputs = forward(ensemble.weights, ensemble.biases, ensemble.activation, rows.astype(np.float64), precision)
    mean, raw = np.split(outputs, 2, axis=2)
    low, high = ensemble.log_var_min.astype(np.float64), ensemble.log_var_max.astype(np.float64)
    log_var = high - softplus(high - raw)
    return mean, low + softplus(log_var - low)


def dynamics_reward(
    reward: DynamicsReward, state: Array, action: Array, successor: Array, precision: Precision = "float32"
) -> Array:
    """Return how credible transitions `[N, S]`, `[N, A]`, `[N, S]` are `[N]`."""
    scaled = ((state, "state"), (action, "action"), (successor - state, "change"))
    rows = [(x - getattr(reward, f"{n}_mean")) / getattr(reward, f"{n}_std").astype(np.float64) for x, n in scaled]
    logits = forward(reward.weights, reward.biases, reward.activation, np.concatenate(rows, 1), precision)
    return combined(logits[..., 0].T, reward)


class RolloutReference:
    """Arguments as those of `EnsembleModel` and its rollouts, but for one call: `run` gives what a rollout gives."""

    def __init__(
        self,
        ensemble: Ensemble,
        state: ModelState,
        program: CompiledTask | None = None,
        *,
        observations: str = "policy",
        critic: str = "",
        actor: Actor | None = None,
        seed: int = 0,
        propagation: str = "sampled",
        noise: bool = True,
        penalty: str = "none",
        candidates: Candidates | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.ensemble, self.state, self.program, self.actor = ensemble, state, program, actor
        self.observations, self.critic, self.seed, self.propagation = observations, critic, seed, propagation
        self.noise, self.penalty, self.candidates, self.precision = noise, penalty, candidates, precision

    def run(
        self,
        states: Array,
        steps: int,
        *,
        actions: Array | None = None,
        carried: Array | None = None,
        before: Array | None = None,
        ids: NDArray[np.uint32] | None = None,
        forced: Array | None = None,
    ) -> Imagined:
        """Return the rollout. With `forced [L, B, S]` every step but the first begins from the state there, and the
        program sees the states there: what one step alone does, from the same state.
        """
        rows = len(states)
        ids = np.arange(rows, dtype=np.uint32) if ids is None else ids
        carried = np.zeros((rows, 0)) if carried is None else carried
        carried = carried if carried.ndim == 3 else np.broadcast_to(carried, (steps + 1, *carried.shape))
        before = np.zeros((rows, self.ensemble.actions)) if before is None else before
        alive, state = np.ones(rows, np.bool_), np.asarray(states, np.float64)
        twin = None if self.program is None else self.program.reference(rows)
        groups = {} if twin is None else twin.reset(self._signals(state, before, carried[0]), alive)
        seen, told = self._seen(groups, state)
        out = self._empty(steps, rows)
        final, final_told = np.array(seen, np.float64), np.array(told)
        for t in range(steps):
            action = self._act(seen, ids, t) if actions is None else actions[:, t]
            member, successor, penalty, credible = self._step(state, action, ids, t)
            alive &= np.isfinite(successor).all(1)
            rejected = alive & self._rejects(credible, t)
            out.rejected[rejected] = True
            ends = self.candidates is not None and self.candidates.on_reject == "terminate"
            alive &= ends | ~rejected
            after = successor if forced is None else np.where(alive[:, None], forced[t], successor)
            groups = {} if twin is None else twin.step(self._signals(after, action, carried[t + 1]))
            values = {"observations": seen, "critic_observations": told, "actions": action, "next_states": successor}
            values |= {"penalty": penalty, "member": member, "valid": alive, "credible": credible}
            values |= {n: groups[n] for n in ("channels", "terminated") if n in groups}
            self._store(out, t, alive, values)
            out.terminated[t] |= rejected & alive
            state, (seen, told) = after, self._seen(groups, after)
            final[alive], final_told[alive] = seen[alive], told[alive]
            alive = alive & ~out.terminated[t]
        out.final_observations[:], out.final_critic_observations[:] = final, final_told
        return out

    def _seen(self, groups: Mapping[str, Array], state: Array) -> tuple[Array, Array]:
        """What policy and critics see."""
        nothing = np.zeros((len(state), 0))
        if self.program is None:
            return state, nothing
        return groups.get(self.observations, nothing), groups.get(self.critic, nothing)

    def _empty(self, steps: int, rows: int) -> Imagined:
        groups = {} if self.program is None else self.program.groups
        observation = self.ensemble.states if self.program is None else 0
        critic = groups[self.critic].width if self.critic in groups else 0
        out = empty(
            steps,
            rows,
            observation=groups[self.observations].width if self.observations in groups else observation,
            action=self.ensemble.actions,
            state=self.ensemble.states,
            channels=groups["channels"].width if "channels" in groups else 0,
            critic=critic,
        )
        for name, array in out.arrays.items():
            array[:] = -1 if name == "member" else 0
        return out

    def _store(self, out: Imagined, step: int, alive: Array, values: dict[str, Array]) -> None:
        for name, value in values.items():
            target = getattr(out, name)[step]
            target[alive] = np.asarray(value)[alive].reshape(target[alive].shape)

    def _act(self, observations: Array, ids: NDArray[np.uint32], step: int) -> Array:
        actor = self.actor
        assert actor is not None
        mirror = actor.mirror
        flags = np.zeros(len(observations), np.bool_) if mirror is None else mirror.flag(observations)
        if mirror is not None:
            observations = np.where(flags[:, None], observations[:, mirror.obs_index] * mirror.obs_sign, observations)
        rows = np.clip((observations - actor.mean) / actor.std.astype(np.float64), -actor.clip, actor.clip)
        outputs = forward(actor.weights, actor.biases, actor.activation, rows, self.precision)[:, : actor.actions]
        if self.noise and actor.action_std is not None:
            outputs = outputs + actor.action_std * random.normals(ids, step, random.ACTION, actor.actions, self.seed)
        actions = np.tanh(outputs) * actor.squashed if actor.squashed else outputs
        if mirror is None:
            return actions
        return np.where(flags[:, None], actions[:, mirror.action_index] * mirror.action_sign, actions)

    def _step(self, state: Array, action: Array, ids: NDArray[np.uint32], step: int) -> tuple[Array, ...]:
        """Who predicts, the next state, the penalty, and the dynamics reward."""
        ensemble, rows = self.ensemble, np.arange(len(state))
        means, log_vars = predict(ensemble, state, action, self.precision)
        credible = np.zeros(len(state))
        if self.candidates is not None:
            member, successor, credible = self._chosen(self.candidates, state, action, means, log_vars, ids, step)
        elif self.propagation == "mean":
            member = np.full(len(state), -1)
            change = means[list(ensemble.elites)].mean(0)
        else:
            at = 0 if self.propagation == "elite" else step
            elite = random.choices(ids, at, random.MEMBER, len(ensemble.elites), self.seed)
            member = np.array(ensemble.elites)[elite]
            change = means[member, rows]
            if self.noise:
                noise = random.normals(ids, step, random.STATE, ensemble.states, self.seed)
                change = change + np.exp(log_vars[member, rows] / 2) * noise
        penalty = {
            "none": np.zeros(len(state)),
            "aleatoric": np.sqrt(np.exp(log_vars).sum(2)).max(0),
            "disagreement": np.sqrt(means.var(0).sum(1)),
        }
        if self.candidates is None:
            successor = self._repaired(state + change)
        return member, successor, penalty[self.penalty], credible

    def _rejects(self, credible: Array, step: int) -> Array:
        if self.candidates is None or step < self.candidates.after:
            return np.zeros(len(credible), np.bool_)
        below: Array = credible < self.candidates.threshold
        return below

    def _chosen(
        self, asked: Candidates, state: Array, action: Array, means: Array, log_vars: Array, ids: NDArray[np.uint32],
        step: int,
    ) -> tuple[Array, Array, Array]:
        """Who predicts, the candidate, and its dynamics reward; candidates go elite by elite."""
        own, rows = self.ensemble, np.arange(len(state))
        elites = np.repeat(own.elites, asked.resamples)
        change, std = means[elites], np.exp(log_vars[elites] / 2)
        if self.noise:
            drawn = -(-own.states // 4) * 4  # whole draws of four
            z = random.normals(ids, step, random.STATE, len(elites) * drawn, self.seed).reshape(len(rows), -1, drawn)
            change = change + std * z[:, :, : own.states].transpose(1, 0, 2)
        far = FAR * own.state_std.astype(np.float64)
        candidates = np.clip(state + change, own.state_mean - far, own.state_mean + far)
        candidates = np.stack([self._repaired(c) for c in candidates])
        rewards = np.stack([dynamics_reward(asked.reward, state, action, c, self.precision) for c in candidates])
        scores = rewards
        if self.propagation == "softmax":
            words = random.philox(random.counters(ids, step, random.CHOICE, -(-len(elites) // 4)), self.seed)
            gumbel = -np.log(-np.log(random.uniforms(words.reshape(len(rows), -1)[:, : len(elites)])))
            scores = rewards / TEMPERATURE + gumbel.T
        best = scores.argmax(0)
        return elites[best], candidates[best, rows], rewards[best, rows]

    def _repaired(self, states: Array) -> Array:
        """Quaternions of length 1, truth values of 0 or 1."""
        for first in self.state.quaternions:
            q = states[:, first : first + 4]
            length = np.linalg.norm(q, axis=1, keepdims=True)
            q /= np.where(length > 0, length, 1.0)
        for column in self.state.truths:
            states[:, column] = states[:, column] > 0.5
        return states

    def _signals(self, state: Array, action: Array, carried: Array) -> dict[str, Array]:
        signals = {name: state[:, columns] for name, columns in self.state.columns.items()}
        signals |= {name: carried[:, columns] for name, columns in columns_of(self.state.carried).items()}
        return {**signals, ACTION: action, TRUNCATED: np.zeros((len(state), 1))}
