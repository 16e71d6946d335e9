"""The files that a model file refers to, and copying them so that every reference still holds."""

from __future__ import annotations

import os
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..spec.errors import SpecError

MAX_XML_BYTES = 32 * 2**20
MAX_FILES = 4096


@dataclass
class ModelFiles:
    """A model file and what it refers to. `name` is the model's own name, '' without one.

    `beside` are the files, the model included, which keep their places relative to each other; `missing` are references
    that name no file.
    """

    model: Path
    name: str = ""
    beside: set[Path] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


def find_files(model: Path) -> ModelFiles:
    """Return the files that the MJCF or URDF `model` refers to, through includes too. Raises SpecError."""
    model = model.resolve()
    files = ModelFiles(model, beside={model})
    queue, folders = [model], {""}
    roots: list[tuple[Path, ElementTree.Element]] = []
    while queue:
        path = queue.pop()
        root = _parse(path)
        roots.append((path, root))
        folders |= {c.get(k, "") for c in root.iter("compiler") for k in ("meshdir", "texturedir", "assetdir")}
        for name in _included(root):
            # MuJoCo looks beside the main model first, then beside the including file
            found = _first_file(name, (model.parent, path.parent))
            if found is None:
                files.missing.append(name)
            elif found not in files.beside:
                files.beside.add(found)
                queue.append(found)
        if len(files.beside) > MAX_FILES:
            raise SpecError(f"{model}: expected at most {MAX_FILES} files")
    top = roots[0][1]
    files.name = top.get("model" if top.tag == "mujoco" else "name", "")
    for path, root in roots:
        bases = [base / folder for base in (model.parent, path.parent) for folder in sorted(folders)]
        for name in _referred(root):
            _place(files, name, bases)
    return files


def copy_files(files: ModelFiles, target: Path) -> str:
    """Copy everything into the folder `target`; return the model's path inside it."""
    root = Path(os.path.commonpath([p.parent for p in files.beside]))
    for path in sorted(files.beside):
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return files.model.relative_to(root).as_posix()


def find_in_package(address: str, model: Path) -> Path | None:
    """Return the file of a ROS address `package://NAME/REST`, None if there is none.

    It is REST below the folder NAME, or in any folder above `model`: a copied package need not keep its name.
    """
    name = address.split(":", 1)[1].lstrip("/")
    rest = name.split("/", 1)[-1]
    for folder in model.resolve().parents:
        for candidate in (folder / name, folder / rest):
            if candidate.is_file():
                return candidate.resolve()
    return None


def _parse(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > MAX_XML_BYTES:
            raise SpecError(f"{path}: expected at most {MAX_XML_BYTES} bytes")
        return ElementTree.fromstring(path.read_bytes())
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None
    except ElementTree.ParseError as error:
        raise SpecError(f"{path}: not XML: {error}") from None


def _included(root: ElementTree.Element) -> Iterator[str]:
    """Files that are model files themselves: includes and attached models."""
    for tag in ("include", "model"):
        yield from (e.attrib["file"] for e in root.iter(tag) if "file" in e.attrib)


def _referred(root: ElementTree.Element) -> Iterator[str]:
    """Meshes, textures, height fields, skins: every other attribute whose name begins with `file`."""
    for element in root.iter():
        if element.tag not in ("include", "model"):
            yield from (v for k, v in element.attrib.items() if k.startswith("file") and v)


def _place(files: ModelFiles, name: str, bases: list[Path]) -> None:
    found = find_in_package(name, files.model) if "://" in name else _first_file(name, bases)
    if found is None:
        files.missing.append(name)
    else:
        files.beside.add(found)


def _first_file(name: str, folders: list[Path] | tuple[Path, ...]) -> Path | None:
    for folder in folders:
        path = Path(os.path.normpath(folder / name))
        if path.is_file():
            return path.resolve()
    return None
