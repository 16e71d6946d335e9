"""Data-parallel learning: a group of processes that average gradients and share moments over gloo."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]

TIMEOUT = timedelta(minutes=10)
HOST = "127.0.0.1"


class Group:
    """The processes of one training. With `size` 1 every operation leaves its argument as it is."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    def sum(self, values: Tensor) -> Tensor:
        """Add `values` over all ranks in place; every rank gets the same bits."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def average(self, values: Tensor) -> Tensor:
        """Average `values` over all ranks in place."""
        if self.size > 1:
            dist.all_reduce(values)
            values.mul_(1.0 / self.size)
        return values

    def gather(self, values: Tensor, out: Tensor) -> Tensor:
        """Write the `values [T, ...]` of all ranks to `out [size * T, ...]` in rank order and return it."""
        if self.size == 1:
            return out.copy_(values)
        dist.all_gather(list(out.chunk(self.size)), values)
        return out

    def gather_rows(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows `[N, ...]` of all ranks below each other, `[size * N, ...]`, in rank order."""
        own = torch.from_numpy(values)
        return self.gather(own, torch.empty(self.size * len(own), *own.shape[1:])).numpy()

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank."""
        return bool(self.sum(torch.tensor([float(flag)])).item() > 0.0) if self.size > 1 else flag

    def broadcast(self, values: Tensor) -> Tensor:
        """Overwrite `values` with those of rank 0."""
        if self.size > 1:
            dist.broadcast(values, 0)
        return values

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()


def torchrun_group(environment: Mapping[str, str] = os.environ) -> Group | None:
    """Return the group that `torchrun` described in the environment, None without one.

    Reads RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
    """
    size = int(environment.get("WORLD_SIZE", "1"))
    if "RANK" not in environment or size == 1:
        return None
    rank = int(environment["RANK"])
    dist.init_process_group(
        "gloo", init_method="env://", rank=rank, world_size=size, timeout=TIMEOUT
    )
    return Group(rank, size)


def open_store(size: int) -> TCPStore:
    """Return the meeting point of `size` local processes, at a port that the system chose."""
    return TCPStore(HOST, 0, size, is_master=True, timeout=TIMEOUT, wait_for_workers=False)


def lead_group(store: TCPStore, size: int, waiting: Callable[[], None]) -> Group:
    """Return rank 0's group once all ranks have come to the store; calls `waiting` while they have not.

    Raises what `waiting` raises: that is where a worker that died early is noticed.
    """
    ready = [_ready(rank) for rank in range(1, size)]
    while not store.check(ready):
        waiting()
    return _join(store, 0, size)


def worker_group(rank: int, size: int, port: int) -> Group:
    """Return the group of a worker whose rank 0 listens at `port` of this machine."""
    store = TCPStore(HOST, port, size, is_master=False, timeout=TIMEOUT)
    store.set(_ready(rank), "1")
    return _join(store, rank, size)


def _ready(rank: int) -> str:
    return f"ready-{rank}"


def _join(store: TCPStore, rank: int, size: int) -> Group:
    # without the name of the loopback interface gloo looks up the host's name, which need not resolve
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if names:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", names[0])
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    return Group(rank, size)


def worker_count(num_envs: int, cores: int, workers: int = 0) -> int:
    """Return the number of worker processes: `workers`, or one per core with at least 32 environments each.

    Raises ValueError if `workers` does not divide the environments.
    """
    if workers:
        if num_envs % workers:
            raise ValueError(f"workers: expected a divisor of num_envs = {num_envs}, got {workers}")
        return workers
    most = max(1, min(cores, num_envs // 32))
    return next(w for w in range(most, 0, -1) if num_envs % w == 0)
