"""The same rollouts in torch: an elite for each row and step, by shuffled equal parts, or all members for every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import elu, silu, softplus

from ...world import Actor, Ensemble
from .problem import COMMAND, DT, JOINTS, MEMBERS, STATES, Problem

Step = Callable[..., tuple[Tensor, ...]]
WEIGHTS = (1.5, 0.75, -2.5, -20.0, -0.01)


class TorchRollout:
    """L steps of B rows with the policy in the loop; what a rollout of ours writes is written too. With `autocast` the
    networks' products are bfloat16's, and their weights are cast once.
    """

    def __init__(
        self, problem: Problem, steps: int, compiled: bool = False, everyone: bool = False, autocast: bool = False
    ) -> None:
        self.states, self.commands = torch.from_numpy(problem.states), torch.from_numpy(problem.commands)
        rows = len(self.states)
        self.steps, self.autocast = steps, autocast
        self.out = {
            "observations": torch.zeros(steps, rows, STATES),
            "actions": torch.zeros(steps, rows, JOINTS),
            "next_states": torch.zeros(steps, rows, STATES),
            "channels": torch.zeros(steps, rows, 2),
        }
        self.terminated = torch.zeros(steps, rows, dtype=torch.bool)
        weights = torch.bfloat16 if autocast else torch.float32
        members, policy = Members(problem.ensemble, everyone, weights), Policy(problem.actor, weights)

        def step(states: Tensor, commands: Tensor, before: Tensor, order: Tensor) -> tuple[Tensor, ...]:
            actions = policy(states)
            successors = members(states, actions, order)
            channels, terminated = pay(successors, commands, actions, before)
            return actions, successors, channels, terminated

        self._step: Step = torch.compile(step, dynamic=False) if compiled else step

    def run(self) -> int:
        """Return how many steps of a row were imagined."""
        states, before = self.states, torch.zeros(len(self.states), JOINTS)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            for t in range(self.steps):
                order = torch.randperm(len(states))  # out of the step: torch's compiler fails on it
                actions, successors, channels, terminated = self._step(states, self.commands, before, order)
                self.out["observations"][t], self.out["actions"][t] = states, actions
                self.out["next_states"][t], self.out["channels"][t] = successors, channels
                self.terminated[t] = terminated
                states, before = successors, actions
        return self.steps * len(states)


class Policy:
    """A normal action around a perceptron's output."""

    def __init__(self, actor: Actor, dtype: torch.dtype) -> None:
        pairs = zip(actor.weights, actor.biases, strict=True)
        self.layers = [(torch.from_numpy(w).to(dtype), torch.from_numpy(b).to(dtype)) for w, b in pairs]
        self.mean, self.std, self.clip = torch.from_numpy(actor.mean), torch.from_numpy(actor.std), actor.clip
        self.spread = torch.as_tensor(actor.action_std)

    def __call__(self, observations: Tensor) -> Tensor:
        hidden = ((observations - self.mean) / self.std).clamp(-self.clip, self.clip)
        for weight, bias in self.layers[:-1]:
            hidden = elu(torch.addmm(bias, hidden, weight))
        mean = torch.addmm(self.layers[-1][1], hidden, self.layers[-1][0])
        return mean + self.spread * torch.randn_like(mean)


class Members:
    """The next state by a member of each row's own."""

    def __init__(self, ensemble: Ensemble, everyone: bool, dtype: torch.dtype = torch.float32) -> None:
        chosen: Any = slice(None) if everyone else list(ensemble.elites)
        self.layers = [
            (torch.from_numpy(w[chosen].copy()).to(dtype), torch.from_numpy(b[chosen].copy()).to(dtype))
            for w, b in zip(ensemble.weights, ensemble.biases, strict=True)
        ]
        self.elites, self.everyone = torch.tensor(ensemble.elites), everyone
        self.low, self.high = torch.from_numpy(ensemble.log_var_min), torch.from_numpy(ensemble.log_var_max)
        self.mean = torch.cat([torch.from_numpy(ensemble.state_mean), torch.from_numpy(ensemble.action_mean)])
        self.std = torch.cat([torch.from_numpy(ensemble.state_std), torch.from_numpy(ensemble.action_std)])

    def __call__(self, states: Tensor, actions: Tensor, order: Tensor) -> Tensor:
        rows = self._normalised(states, actions)
        if self.everyone:
            outputs = self._forward(rows.expand(MEMBERS, *rows.shape))
            chosen = self.elites[torch.randint(len(self.elites), (len(rows),))]
            outputs = outputs[chosen, torch.arange(len(rows))]
        else:
            outputs = self._shuffled(rows, order)
        mean, std = self._split(outputs)
        return states + mean + std * torch.randn_like(mean)

    def moments(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return means of the change and standard deviations `[E, B, S]` of the members that there are layers of."""
        return self._split(self._forward(self._normalised(states, actions).expand(len(self.layers[0][0]), -1, -1)))

    def _normalised(self, states: Tensor, actions: Tensor) -> Tensor:
        return (torch.cat([states, actions], 1) - self.mean) / self.std

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = outputs.chunk(2, -1)
        log_var = self.high - softplus(self.high - raw)
        return mean, torch.exp(0.5 * (self.low + softplus(log_var - self.low)))

    def _shuffled(self, rows: Tensor, order: Tensor) -> Tensor:
        """Each elite takes an equal part of the rows in a random order, the last rows twice if parts are unequal."""
        count, elites = len(rows), len(self.elites)
        part = -(-count // elites)
        padded = torch.cat([order, order[: part * elites - count]])
        outputs = self._forward(rows[padded].view(elites, part, -1)).flatten(0, 1)[:count]
        back = torch.empty_like(outputs)
        back[order] = outputs
        return back

    def _forward(self, hidden: Tensor) -> Tensor:
        for weight, bias in self.layers[:-1]:
            hidden = silu(torch.baddbmm(bias, hidden, weight))
        return torch.baddbmm(self.layers[-1][1], hidden, self.layers[-1][0])


class TorchCandidates:
    """One filtered step: every elite's draws for all rows, judged by all discriminators at once, the best one taken."""

    def __init__(self, problem: Problem, resamples: int) -> None:
        self.states, self.resamples = torch.from_numpy(problem.states), resamples
        self.actions = torch.zeros(len(self.states), JOINTS)
        self.members, self.reward = Members(problem.ensemble, everyone=False), problem.reward
        own = problem.reward
        self.layers = [tuple(map(torch.from_numpy, layer)) for layer in zip(own.weights, own.biases, strict=True)]
        names = ("state", "action", "change")
        self.mean, self.std = (
            torch.cat([torch.from_numpy(getattr(own, f"{n}_{k}")) for n in names]) for k in ("mean", "std")
        )
        self.data, self.made = (torch.from_numpy(x)[:, None] for x in (own.logit_data, own.logit_made))
        self.radius = float(max(self.data.max().abs(), self.made.min().abs()))

    def run(self) -> int:
        """Return how many candidates were judged."""
        states, rows = self.states, len(self.states)
        with torch.inference_mode():
            mean, std = self.members.moments(states, self.actions)
            drawn = mean[:, None] + std[:, None] * torch.randn(len(mean), self.resamples, *states.shape)
            found = (states + drawn).flatten(0, 1)
            rewards = self._rewards(found)
            best = rewards.argmax(0)
            self.next = found[best, torch.arange(rows)]
        return len(found) * rows

    def _rewards(self, found: Tensor) -> Tensor:
        before = torch.cat([self.states, self.actions], 1).expand(len(found), -1, -1)
        rows = (torch.cat([before, found - self.states], 2).flatten(0, 1) - self.mean) / self.std
        hidden = rows.expand(len(self.layers[0][0]), *rows.shape)
        for weight, bias in self.layers[:-1]:
            hidden = torch.relu(torch.baddbmm(bias, hidden, weight))
        logits = torch.baddbmm(self.layers[-1][1], hidden, self.layers[-1][0])[..., 0]
        place = (logits.clamp(self.made, self.data) - self.made) / (self.data - self.made)
        votes = torch.sigmoid((2 * place - 1) * self.radius).clamp(max=self.reward.clip)
        return -torch.log(1 - votes.mean(0) + 1e-9).view(len(found), -1)


def pay(states: Tensor, commands: Tensor, actions: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Return channels `[B, 2]` and terminations `[B]`, what the program says."""
    assert commands.shape[1] == COMMAND.lanes
    gravity, height = states[:, 6:9], states[:, 9]
    terms = (
        torch.exp(-4 * (states[:, :2] - commands[:, :2]).square().sum(1)),
        torch.exp(-4 * (states[:, 5] - commands[:, 2]).square()),
        gravity[:, :2].square().sum(1),
        (height - 0.3).square(),
        (actions - before).square().sum(1),
    )
    paid = [DT * w * x for w, x in zip(WEIGHTS, terms, strict=True)]
    return torch.stack([paid[0] + paid[1], paid[2] + paid[3] + paid[4]], 1), gravity[:, 2] > 50
