"""Arrays of any simulator as rows `[N, lanes]` that the core reads in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.errors import nearest
from ..spec.signal import Signal

MOST = 12
"""Names that a message lists."""
DTYPES = ("float32", "float64", "bool", "uint8")
CPU_DEVICES = (1, 3)
"""DLPack's numbers of memory that the CPU reads: its own, and page-locked memory of CUDA."""


def rows_of(signals: Sequence[Signal], given: Mapping[str, Any], convert: bool = False) -> list[NDArray[Any]]:
    """Return one view `[N, lanes]` a signal, in order, of arrays `[N, ...]` by name; others are left alone.

    An array is NumPy's or another library's in CPU memory (a torch tensor), float32, float64, bool or uint8. Rows
    may be strided. Nothing is copied, but with `convert` integers of a signal of kind `integer`. Raises ValueError or
    TypeError naming signal, expected and got.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"signals: expected a dict of arrays by name, got {type(given).__name__}")
    check_given(signals, given)
    arrays = [as_numpy(s, given[s.name], convert) for s in signals]
    lengths = Counter(a.shape[0] for a in arrays if a.ndim)
    n = lengths.most_common(1)[0][0] if lengths else 0
    return [_rows(signal, array, n) for signal, array in zip(signals, arrays, strict=True)]


def check_given(signals: Sequence[Signal], given: Mapping[str, Any], rows: str = "N") -> None:
    """Raise ValueError if an array is missing: it names all signals with their shapes, and the arrays given."""
    lacking = [s.name for s in signals if s.name not in given]
    if not lacking:
        return
    hints = {name: nearest(name, [g for g in given if g not in {s.name for s in signals}]) for name in lacking}
    missing = "; ".join(f"'{name}' is missing{h if h.startswith(',') else ''}" for name, h in hints.items())
    wanted = ", ".join(f"'{s.name}' {form(s, rows)}" for s in signals)
    got = ", ".join(f"'{name}'" for name in list(given)[:MOST]) + (", ..." if len(given) > MOST else "")
    raise ValueError(f"signals: expected {wanted}, got {f'only {got}' if got else 'none'}: {missing}")


def form(signal: Signal, rows: str = "N") -> str:
    """Return the shape of a signal's array in words: `[N]`, `[N, numbers]` or `[N, elements, components]`."""
    sizes = [signal.count] * bool(signal.axis) + [signal.width] * (signal.width > 1)
    return f"[{', '.join([rows, *map(str, sizes)])}]"


def as_numpy(signal: Signal, value: Any, convert: bool = False) -> NDArray[Any]:
    """Return a NumPy view of an array's memory; a library that speaks DLPack is not imported for it.

    With `convert`, integers of a signal of kind `integer` become a float64 copy.
    """
    name = signal.name
    if not isinstance(value, np.ndarray):
        value = _foreign(name, value)
    if convert and signal.kind == "integer" and value.dtype.kind in "iu":
        value = value.astype(np.float64)
    if value.dtype.name not in DTYPES:
        hint = f"np.float{32 if value.dtype.itemsize <= 2 else 64}"
        raise TypeError(f"signals: {name}: expected {', '.join(DTYPES[:-1])} or {DTYPES[-1]}, got {value.dtype.name} "
                        f"(.astype({hint}) converts)")
    array: NDArray[Any] = value
    return array


def _foreign(name: str, value: Any) -> NDArray[Any]:
    """A view of another library's array."""
    if not hasattr(value, "__dlpack__"):
        raise TypeError(f"signals: {name}: expected an array or a CPU tensor, got {type(value).__name__}")
    try:
        device = value.__dlpack_device__()[0]
        if device in CPU_DEVICES:
            detach = getattr(value, "detach", None)
            view: NDArray[Any] = np.from_dlpack(detach() if detach else value)
            return view
    except (BufferError, RuntimeError, ValueError) as error:
        raise TypeError(f"signals: {name}: expected dense numbers in CPU memory, got {error}") from None
    where = getattr(value, "device", f"device {int(device)}")
    raise TypeError(f"signals: {name}: expected memory of the CPU, got a tensor on {where} (use .cpu())")


def _rows(signal: Signal, array: NDArray[Any], n: int) -> NDArray[Any]:
    """The array as `[n, lanes]`: `[n]`, `[n, lanes]` or `[n, elements, components]`, whatever fits."""
    shapes = _shapes(signal, n)
    if array.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(f"signals: {signal.name}: expected {wanted}, got {array.shape}")
    try:
        rows = np.reshape(array, (array.shape[0], signal.lanes), copy=False)
    except ValueError:
        rows = None
    if rows is None or (signal.lanes > 1 and rows.strides[1] != rows.itemsize):
        raise ValueError(
            f"signals: {signal.name}: expected a row's {signal.lanes} numbers side by side, got strides "
            f"{array.strides} bytes (np.ascontiguousarray copies them)"
        )
    return rows


def _shapes(signal: Signal, n: int) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = [(n, signal.lanes)]
    if signal.lanes == 1:
        shapes.insert(0, (n,))
    if signal.axis and signal.width > 1:
        shapes.append((n, signal.count, signal.width))
    return shapes
