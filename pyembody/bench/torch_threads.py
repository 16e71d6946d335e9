"""How many threads torch has while it is measured; idle ones would spin beside the others' samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Let torch use `threads` threads while the block runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def with_threads(sample: Callable[[], float], threads: int) -> Callable[[], float]:
    """Return a sampler that lets torch use `threads` threads."""

    def measured() -> float:
        with use_threads(threads):
            return sample()

    return measured
