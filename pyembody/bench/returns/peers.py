"""Generalised advantage estimation as users of other libraries write it, over the same arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..peers import installed
from ..torch_threads import use_threads
from . import GAMMA, LAM, Case

Step = Callable[[], object]
BLOCK = 512
"""Environments that numba walks back together."""


def numpy_gae(case: Case) -> Step:
    """Return one pass back in time over whole rows of NumPy arrays."""
    rewards, values, following, dead, cut = case.read
    alive = np.float32(GAMMA) * ~dead[..., None]
    going = np.float32(GAMMA * LAM) * ~(dead | cut)[..., None]

    def step() -> None:
        carry = np.zeros_like(rewards[0])
        for t in range(len(rewards) - 1, -1, -1):
            carry = rewards[t] + alive[t] * following[t] - values[t] + going[t] * carry
            case.advantages[t] = carry
        np.add(case.advantages, values, out=case.returns)

    return step


def numba_gae(case: Case, threads: int) -> Step:
    """Return a compiled loop over the environments, in parallel for more than one thread."""
    compiled = _compiled(threads > 1)
    if threads > 1:
        import numba

        numba.set_num_threads(threads)
    return lambda: compiled(*case.read, case.advantages, case.returns)


@cache
def _compiled(parallel: bool) -> Callable[..., None]:
    import numba

    def loop(r: Any, v: Any, following: Any, dead: Any, cut: Any, advantages: Any, returns: Any) -> None:
        blocks = (r.shape[1] + BLOCK - 1) // BLOCK
        for block in numba.prange(blocks):
            first, last = block * BLOCK, min((block + 1) * BLOCK, r.shape[1])
            carry = np.zeros((last - first, r.shape[2]), np.float32)
            for t in range(r.shape[0] - 1, -1, -1):
                for n in range(first, last):
                    alive = np.float32(0.0 if dead[t, n] else GAMMA)
                    going = np.float32(0.0 if dead[t, n] or cut[t, n] else GAMMA * LAM)
                    for c in range(r.shape[2]):
                        x = r[t, n, c] + alive * following[t, n, c] - v[t, n, c] + going * carry[n - first, c]
                        carry[n - first, c] = x
                        advantages[t, n, c] = x
                        returns[t, n, c] = x + v[t, n, c]

    compiled: Callable[..., None] = numba.njit(parallel=parallel, fastmath=True)(loop)
    return compiled


def torch_gae(case: Case, threads: int) -> Step:
    """Return the usual loop over steps of PyTorch tensors."""
    import torch

    rewards, values, following, dead, cut = (torch.from_numpy(x) for x in case.read)
    advantages, returns = torch.from_numpy(case.advantages), torch.from_numpy(case.returns)
    alive, going = GAMMA * (~dead[..., None]).float(), GAMMA * LAM * (~(dead | cut)[..., None]).float()

    def step() -> None:
        with use_threads(threads):
            carry = torch.zeros_like(rewards[0])
            for t in range(len(rewards) - 1, -1, -1):
                carry = rewards[t] + alive[t] * following[t] - values[t] + going[t] * carry
                advantages[t] = carry
            torch.add(advantages, values, out=returns)

    return step


def torchrl_gae(case: Case) -> Step | None:
    """Return TorchRL's vectorised estimate, None where TorchRL is not installed."""
    if not installed("torchrl"):
        return None
    import torch
    from torchrl.objectives.value.functional import vec_generalized_advantage_estimate

    rewards, values, following, dead, cut = (torch.from_numpy(x) for x in case.read)
    terminated = dead[..., None].expand_as(rewards).transpose(0, 1).contiguous()
    done = (dead | cut)[..., None].expand_as(rewards).transpose(0, 1).contiguous()
    columns = [x.transpose(0, 1).contiguous() for x in (values, following, rewards)]
    return lambda: vec_generalized_advantage_estimate(GAMMA, LAM, *columns, done=done, terminated=terminated)
