"""Packages of the extras, imported when they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

EXTRA = {
    "av": "av", "matplotlib": "matplotlib", "rerun": "rerun-sdk", "PIL": "pillow", "h5py": "h5py", "pyarrow": "pyarrow"
}


def need(module: str, purpose: str) -> ModuleType:
    """Return the imported `module`; ImportError naming the command that installs it if it is
    missing.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = EXTRA.get(module.partition(".")[0], module)
        text = f"{purpose} needs the package '{package}': pip install {package} ({error})"
        raise ImportError(text, name=module) from None
