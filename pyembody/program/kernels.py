"""A task folder's own operations: `kernels.py` with functions that numba compiles to C functions."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..spec.errors import SpecError, unknown
from .units import Unit, parse_unit

MAX_ARGUMENTS = 16


@dataclass(frozen=True)
class Kernel:
    """A C function `(const float* const* inputs, float* out, int64 n, const float* constants)` over n rows.

    `inputs` are its arguments with their units; `owner` keeps the compiled function alive.
    """

    name: str
    inputs: Mapping[str, Unit]
    unit: Unit
    constants: tuple[float, ...]
    address: int
    owner: object

    def call(self, inputs: int, out: int, n: int, constants: int) -> None:
        """Run it on addresses of arrays."""
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
        kind(self.address)(inputs, out, n, constants)


@dataclass(frozen=True)
class Declared:
    """A function of `kernels.py` with its declaration, not compiled yet."""

    function: Callable[..., None]
    inputs: dict[str, str]
    unit: str
    constants: tuple[float, ...]


def kernel(
    *, inputs: dict[str, str], unit: str = "1", constants: tuple[float, ...] = ()
) -> Callable[[Callable[..., None]], Declared]:
    """Return the decorator that declares a kernel: names and units of its inputs, the unit of its result, constants.

    The function is `f(inputs, out, n, constants)`: `inputs[k][i]` is row i of input k, and it writes `out[i]`. It is
    compiled by numba without Python: no objects, no exceptions.
    """
    if not 1 <= len(inputs) <= MAX_ARGUMENTS:
        raise SpecError(f"kernel: inputs: expected 1 to {MAX_ARGUMENTS}, got {len(inputs)}")
    return lambda function: Declared(function, inputs, unit, constants)


def load_kernel(folder: str, name: str, place: str) -> Kernel:
    """Return a compiled kernel of a task folder. Raises SpecError without a folder, file or such a kernel."""
    if not folder:
        raise SpecError(f"{place}: kernels are code: only a task loaded from its own folder may use them")
    path = Path(folder) / "kernels.py"
    spec = importlib.util.spec_from_file_location(f"kernels_of_{Path(folder).name}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise SpecError(f"{place}: expected the kernel '{name}' in {path}, which is not there")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(f"{path}: {type(error).__name__}: {error}") from error
    declared = {k: v for k, v in vars(module).items() if isinstance(v, Declared)}
    if name not in declared:
        raise unknown(place, "kernel", name, declared)
    return compile_kernel(name, declared[name], str(path))


def compile_kernel(name: str, declared: Declared, place: str) -> Kernel:
    """Return the C function of a declared kernel. Raises SpecError for what numba cannot compile."""
    numba: Any = importlib.import_module("numba")
    types = numba.types
    signature = types.void(
        types.CPointer(types.CPointer(types.float32)),
        types.CPointer(types.float32),
        types.int64,
        types.CPointer(types.float32),
    )
    try:
        compiled: Any = numba.cfunc(signature)(declared.function)
    except Exception as error:
        raise SpecError(f"{place}: {name}: {type(error).__name__}: {error}") from error
    inputs = {k: parse_unit(u, f"{place}: {name}.{k}") for k, u in declared.inputs.items()}
    unit = parse_unit(declared.unit, f"{place}: {name}")
    return Kernel(name, inputs, unit, tuple(declared.constants), compiled.address, compiled)
