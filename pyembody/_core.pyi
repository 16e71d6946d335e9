"""The C++ core: programs, returns, small networks, imagined rollouts. No array is copied or converted."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__version__: str

_Floats: TypeAlias = NDArray[np.float32]
_Ends: TypeAlias = NDArray[np.bool_] | NDArray[np.uint8]
_Bytes: TypeAlias = NDArray[np.uint8]
_Network: TypeAlias = tuple[int, int, str, list[tuple[int, int, int, int, int, int]]]

def simd_level() -> str: ...

class Program:
    def __init__(
        self,
        nodes: list[tuple[str, Sequence[int], int, Sequence[int], Sequence[float]]],
        inputs: list[tuple[str, int]],
        groups: list[tuple[str, int, str, bool]],
        stores: list[tuple[int, int, int]],
        params: _Floats,
        dt: float,
        sets: bool = False,
    ) -> None: ...
    @property
    def register_lanes(self) -> int: ...
    @property
    def state_slots(self) -> int: ...
    @property
    def state_nodes(self) -> list[tuple[int, int, int]]: ...
    @property
    def instructions(self) -> int: ...

class State:
    def __init__(self, program: Program, n: int) -> None: ...
    @property
    def array(self) -> NDArray[np.float64]: ...
    @property
    def n(self) -> int: ...

class Evaluator:
    def __init__(
        self,
        program: Program,
        state: State,
        inputs: list[NDArray[Any]],
        outputs: list[NDArray[Any]],
        params: _Floats,
        flags: NDArray[np.uint32],
        bad_term: NDArray[np.int32],
        threads: int = 1,
    ) -> None: ...
    def step(self) -> None: ...
    def reset(self, mask: NDArray[np.bool_]) -> None: ...

def evaluate_log(
    program: Program,
    state: State | None,
    inputs: list[NDArray[Any]],
    outputs: list[NDArray[Any]],
    params: _Floats,
    resets: NDArray[np.bool_],
    flags: NDArray[np.uint32],
    bad_term: NDArray[np.int32] | None,
    threads: int = 1,
) -> None: ...
def gae(
    rewards: _Floats,
    values: _Floats,
    next_values: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    gamma: _Floats,
    lam: _Floats,
    advantages: _Floats,
    returns: _Floats,
    threads: int = 1,
    valid: _Ends | None = None,
    episodic: _Ends | None = None,
) -> None: ...
def discounted_returns(
    rewards: _Floats,
    next_values: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    gamma: _Floats,
    returns: _Floats,
    threads: int = 1,
    valid: _Ends | None = None,
    episodic: _Ends | None = None,
) -> None: ...
def lambda_returns(
    rewards: _Floats,
    next_values: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    gamma: _Floats,
    lam: _Floats,
    returns: _Floats,
    threads: int = 1,
    valid: _Ends | None = None,
    episodic: _Ends | None = None,
) -> None: ...
def segment_returns(
    rewards: _Floats, ends: _Ends, gamma: _Floats, returns: _Floats, threads: int = 1
) -> None: ...
def normalise_advantages(
    advantages: _Floats,
    floor: _Floats,
    running_std: NDArray[np.float64],
    first: bool,
    threads: int = 1,
    valid: _Ends | None = None,
) -> NDArray[np.float64]: ...
def combine(
    advantages: _Floats, weights: _Floats, renormalise: bool, out: _Floats, threads: int = 1, valid: _Ends | None = None
) -> None: ...

class GateRules:
    def __init__(
        self,
        level: NDArray[np.int32],
        agg: _Bytes,
        threshold: _Floats,
        strict: _Bytes,
        mask: _Bytes,
        mean: _Bytes,
        cap: _Floats,
        waits: _Bytes,
        scope: str = "episode",
        place: str = "steps",
        pending: str = "hold",
    ) -> None: ...

def gate_rewards(
    rules: GateRules,
    state: dict[str, NDArray[Any]],
    rewards: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    gated: _Floats,
    gate: _Bytes,
    valid: _Ends | None = None,
    conditions: _Ends | None = None,
    threads: int = 1,
) -> dict[str, NDArray[Any]]: ...
def gated_returns(
    rules: GateRules,
    state: dict[str, NDArray[Any]],
    rewards: _Floats,
    values: _Floats,
    next_values: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    gamma: _Floats,
    lam: _Floats,
    advantages: _Floats,
    returns: _Floats,
    valid: _Ends | None = None,
    conditions: _Ends | None = None,
    episodic: _Ends | None = None,
    threads: int = 1,
) -> dict[str, NDArray[Any]]: ...

def group_advantages(
    rewards: NDArray[np.float64],
    weights: _Floats,
    out: NDArray[np.float64],
    order: str = "normalise_then_sum",
    style: str = "grpo",
) -> None: ...
def redistribute(
    rewards: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    how: str,
    out: _Floats,
    gamma: _Floats | None = None,
    weights: _Floats | None = None,
    threads: int = 1,
) -> None: ...
def turn_rewards(
    log_probs: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    start: _Floats,
    before: _Floats,
    out: _Floats,
) -> None: ...

class LeggedTerms:
    def __init__(
        self,
        rows: _Floats,
        joints: _Floats,
        weights: _Floats,
        dt: float,
        raw: _Floats,
        weighted: _Floats,
        total: _Floats,
        threads: int = 1,
    ) -> None: ...
    def step(self) -> None: ...

def gae_limit(
    rewards: _Floats,
    values: _Floats,
    next_values: _Floats,
    terminated: _Ends,
    truncated: _Ends,
    gamma: float,
    lam: float,
    advantages: _Floats,
    returns: _Floats,
    threads: int = 1,
) -> None: ...

class Mlp:
    def __init__(self, network: _Network, parameters: int, threads: int = 1) -> None: ...
    def load(self, flat: _Floats) -> None: ...
    def normalise(self, mean: _Floats, inverse_std: _Floats, clip: float) -> None: ...
    def forward(self, rows: _Floats, out: _Floats) -> None: ...

class PpoGradient:
    def __init__(
        self, actor: _Network, critic: _Network, log_std: int, parameters: int, threads: int = 1
    ) -> None: ...
    def run(
        self,
        flat: _Floats,
        observations: _Floats,
        critic_observations: _Floats,
        actions: _Floats,
        mean: _Floats,
        log_probs: _Floats,
        advantages: _Floats,
        targets: _Floats,
        log_std: _Floats,
        index: NDArray[np.int64],
        clip: float,
        log_ratio_clip: float,
        entropy: float,
        value_weight: float,
        message: _Floats,
    ) -> None: ...

class RegressionGradient:
    def __init__(
        self, network: _Network, parameters: int, loss: str = "squared", bounds: int = 0, threads: int = 1
    ) -> None: ...
    def run(
        self,
        flat: _Floats,
        inputs: _Floats,
        targets: _Floats,
        index: NDArray[np.int64],
        message: _Floats,
        huber: float = 1.0,
        bound_weight: float = 0.0,
    ) -> None: ...

class SacGradient:
    def __init__(
        self,
        actor: _Network,
        critic: _Network,
        channels: int,
        actor_parameters: int,
        critic_parameters: int,
        low: float = -5.0,
        high: float = 2.0,
        threads: int = 1,
    ) -> None: ...
    def targets(
        self,
        actor: _Floats,
        target_critics: _Floats,
        observations: _Floats,
        critic_observations: _Floats,
        noise: _Floats,
        rewards: _Floats,
        discount: _Floats,
        out: _Floats,
    ) -> None: ...
    def actor(
        self,
        actor: _Floats,
        critics: _Floats,
        observations: _Floats,
        critic_observations: _Floats,
        noise: _Floats,
        weights: _Floats,
        temperature: float,
        message: _Floats,
    ) -> None: ...

def multiply_adds(repeats: int, threads: int = 1) -> int: ...
def clip_rows(gradient: _Floats, most: float, norms: _Floats) -> None: ...
def adam_step(
    parameters: _Floats,
    gradient: _Floats,
    mean: _Floats,
    square: _Floats,
    rate: float,
    number: int,
    decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None: ...
def polyak(target: _Floats, source: _Floats, rate: float) -> None: ...

class Ensemble:
    def __init__(
        self,
        network: _Network,
        flat: _Floats,
        mean: _Floats,
        inverse_std: _Floats,
        log_var_min: _Floats,
        log_var_max: _Floats,
        elites: list[int],
        quaternions: list[int],
        truths: list[int],
    ) -> None: ...

class Actor:
    def __init__(
        self,
        network: _Network,
        flat: _Floats,
        mean: _Floats,
        inverse_std: _Floats,
        clip: float,
        std: _Floats,
        squashed: float,
        mirror: tuple[int, list[int], list[float], list[int], list[float]] | None = None,
    ) -> None: ...

class Discriminators:
    def __init__(
        self,
        network: _Network,
        flat: _Floats,
        state: int,
        mean: _Floats,
        inverse_std: _Floats,
        data: _Floats,
        made: _Floats,
        clip: float,
    ) -> None: ...

def rollout(
    ensemble: Ensemble,
    actor: Actor | None,
    program: Program | None,
    inputs: list[tuple[str, int]],
    observations: str,
    critic: str,
    params: _Floats,
    states: _Floats,
    carried: _Floats,
    before: _Floats,
    actions: _Floats | None,
    ids: NDArray[np.uint32],
    outputs: dict[str, NDArray[Any]],
    steps: int,
    seed: int,
    propagation: str,
    noise: bool,
    penalty: str,
    threads: int = 1,
    candidates: tuple[Discriminators, int, float, int, str] | None = None,
    precision: str = "float32",
) -> int: ...
