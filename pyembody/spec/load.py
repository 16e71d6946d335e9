"""Reading specifications from TOML or JSON: strict, with errors that name file, key and the nearest legal name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from .check import check_robot, check_task
from .errors import SpecError, nearest, unknown
from .files import read_toml
from .gate import expand_gated_terms
from .given import names_file, task_folder
from .robot import Robot
from .task import Task
from .templates import expand_templates
from .train import Mbpo, Offline, Sac, Train

MAX_DEPTH = 24
VARIANT_KEYS = ("description", "remove", "robot", "task", "train")
S = TypeVar("S", bound=msgspec.Struct)
Data = dict[str, Any]


def data_folder(kind: str) -> Path:
    """Return the folder of the shipped `robots` or `tasks`: inside an installed package, beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / kind
    return installed if installed.is_dir() else package.parent / kind


def list_robots() -> list[str]:
    """Return the names of the shipped robots."""
    return _names("robots", "robot.toml")


def list_tasks() -> list[str]:
    """Return the names of the shipped tasks."""
    return _names("tasks", "task.toml")


def list_variants(task: str) -> list[str]:
    """Return the names of a task's variants."""
    folder = find_folder("task", task)
    return sorted(p.stem for p in (folder / "variants").glob("*.toml"))


def find_folder(kind: str, name: str, file: str = "") -> Path:
    """Return the folder of a robot or task, given as a shipped name or as a path of the user's own folder.

    `file` is what such a folder holds (default: `robot.toml` or `task.toml`), and may be named itself. Raises SpecError
    naming the nearest legal name, or saying what another file is.
    """
    file = file or f"{kind}.toml"
    if names_file(name):
        return task_folder(Path(name).expanduser(), kind, file)
    if "/" in name or "\\" in name or name.startswith("."):
        folder = Path(name).expanduser().resolve()
        if not (folder / file).is_file():
            raise SpecError(f"{name}: expected a folder with a {file} in it")
        return folder
    names = _names(f"{kind}s", file)
    if name not in names:
        own = Path(f"{kind}s") / name
        if (own / file).is_file():
            raise SpecError(f"{name}: not a shipped {kind}, but the folder ./{own} is here: say ./{own}")
        raise unknown(f"{kind}s", kind, name, names)
    return data_folder(f"{kind}s") / name


def load_robot(name: str, variant: str = "") -> Robot:
    """Return the robot of a shipped name or of a folder, with a variant's changes merged in. Raises SpecError."""
    folder = find_folder("robot", name)
    path = folder / (f"variants/{variant}.toml" if variant else "robot.toml")
    robot = convert(_merged(folder, "robot", variant) | {"folder": str(folder)}, Robot, str(path))
    check_robot(robot, str(path))
    return robot


def load_task(
    name: str, variant: str = "", *, changes: Data | None = None, remove: Sequence[str] = (), check: bool = True
) -> Task:
    """Return the task of a shipped name or of a folder, with a variant's changes merged in. Raises SpecError.

    `remove` names keys (dotted) that go then, and `changes` (tables as in `task.toml`) are merged in last.
    Without `check` the rules of `check_task` are not applied.
    """
    folder = find_folder("task", name)
    data = _merged(folder, "task", variant)
    for dotted in remove:
        _remove(data, dotted, name)
    data = _overlay(data, changes or {})
    place = str(folder / (f"variants/{variant}.toml" if variant else "task.toml"))
    task = convert(data | {"folder": str(folder), "variant": variant}, Task, place)
    if check:
        check_task(task, place)
    return task


def load_train(name: str, variant: str = "", *, changes: Data | None = None) -> Train:
    """Return PPO's settings of a task, a variant's changes and then `changes` merged in. Raises SpecError."""
    data, place = learning_tables(name, variant)
    own = {k: v for k, v in data.items() if k not in ("algorithm", "sac", "mbpo", "offline")}
    return convert(_overlay(own, changes or {}), Train, place)


def load_sac(name: str, variant: str = "") -> Sac:
    """Return SAC's settings of a task, the table `[sac]`, with a variant's changes merged in. Raises SpecError."""
    data, place = learning_tables(name, variant)
    return convert(data.get("sac", {}), Sac, f"{place}: sac")


def load_mbpo(name: str, variant: str = "") -> Mbpo:
    """Return MBPO's settings of a task, the table `[mbpo]`, with a variant's changes merged in. Raises SpecError."""
    data, place = learning_tables(name, variant)
    return convert(data.get("mbpo", {}), Mbpo, f"{place}: mbpo")


def load_offline(name: str, variant: str = "", *, changes: Data) -> Offline:
    """Return the settings of learning from a dataset: the tables `[sac]`, `[offline]` and `changes`, merged in this
    order. Raises SpecError.
    """
    data, place = learning_tables(name, variant)
    counts = ("num_envs", "horizon", "iterations", "updates", "warmup")  # those of learning from a simulator
    own = {k: v for k, v in data.get("sac", {}).items() if k not in counts}
    return convert(_overlay(_overlay(own, data.get("offline", {})), changes), Offline, f"{place}: offline")


def load_learning(name: str, variant: str = "", algorithm: str = "") -> Train | Sac | Mbpo:
    """Return the settings of `algorithm`, if empty of the one that train.toml names, PPO if none. Raises SpecError."""
    loaders: dict[str, Callable[[str, str], Train | Sac | Mbpo]] = {
        "ppo": load_train, "sac": load_sac, "mbpo": load_mbpo
    }  # fmt: skip
    data, place = learning_tables(name, variant)
    chosen = algorithm or str(data.get("algorithm", "ppo"))
    if chosen not in loaders:
        raise unknown(place, "algorithm", chosen, loaders)
    return loaders[chosen](name, variant)


def learning_tables(name: str, variant: str = "") -> tuple[dict[str, Any], str]:
    """Return a task's settings of learning, a variant's changes merged in, and the path of the file that they are of.

    Without a `train.toml` all settings are defaults. Raises SpecError.
    """
    folder = find_folder("task", name)
    return _merged(folder, "train", variant), str(folder / "train.toml")


def canonical(spec: msgspec.Struct) -> bytes:
    """Return the canonical JSON of a specification: fields in their fixed order, defaults written out, no folder path.

    The order of named tables is kept: it is the order of observations and of sums.
    """
    data = msgspec.to_builtins(spec)
    data.pop("folder", None)
    return msgspec.json.encode(data)


def spec_hash(*specs: msgspec.Struct) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the canonical forms."""
    digest = hashlib.sha256()
    for spec in specs:
        digest.update(canonical(spec))
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def decode(kind: type[S], data: bytes, place: str) -> S:
    """Return a specification read from JSON bytes. Raises SpecError naming `place` and the key."""
    try:
        return convert(msgspec.json.decode(data), kind, place)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SpecError(f"{place}: not JSON: {error}") from None


def convert(data: Any, kind: type[S], place: str) -> S:
    """Return `data` (dicts, lists, numbers) as a frozen struct. Raises SpecError naming the key and the nearest one."""
    _check_depth(data, place, 0)
    if kind is Task and isinstance(data, dict):
        data = expand_gated_terms(expand_templates(data, place), place)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise SpecError(f"{place}: {_explain(str(error), kind, data)}") from None


def _names(kind: str, file: str) -> list[str]:
    return sorted(p.parent.name for p in data_folder(kind).glob(f"*/{file}"))


def _merged(folder: Path, file: str, variant: str) -> dict[str, Any]:
    """The base file with a variant's table of the file's name merged over it; `remove` names keys to drop first."""
    path = folder / f"{file}.toml"
    base = {} if file == "train" and not path.exists() else read_toml(path)
    if not variant:
        return base
    path = folder / "variants" / f"{variant}.toml"
    if not path.is_file():
        raise unknown(str(folder), "variant", variant, [p.stem for p in (folder / "variants").glob("*.toml")])
    change = read_toml(path)
    for key in change:
        if key not in VARIANT_KEYS:
            raise unknown(str(path), "key", key, VARIANT_KEYS)
    if file == "task":
        for dotted in change.get("remove", []):
            _remove(base, dotted, str(path))
    return _overlay(base, change.get(file, {}))


def _remove(data: Data, dotted: str, place: str) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        data = data.get(part, {})
    if last not in data:
        raise SpecError(f"{place}: remove: no key '{dotted}' in the task{nearest(last, data)}")
    del data[last]


def _overlay(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _check_depth(data: Any, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise SpecError(f"{place}: nested deeper than {MAX_DEPTH} levels")
    for child in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        _check_depth(child, place, depth + 1)


def _explain(message: str, kind: type[msgspec.Struct], data: Any) -> str:
    """Turn msgspec's message into one that names the full key path and, for an unknown key, the nearest legal one."""
    match = re.fullmatch(r"(.*?)(?: - at `(.*)`)?", message, re.DOTALL)
    text, path = (match.group(1), match.group(2) or "$") if match else (message, "$")
    names, hint = _walk(kind, data, path.removeprefix("$"))
    where = f"{'.'.join(names)}: " if names else ""
    found = re.search(r"unknown field `(.*?)`", text)
    if found:
        legal = _struct_in(hint).__struct_encode_fields__
        return f"{where}unknown key '{found.group(1)}'{nearest(found.group(1), legal)}"
    wrong = re.search(r"invalid enum value '?(.*?)'?$", text, re.IGNORECASE)
    if wrong:
        choices = [c for arg in (hint, *get_args(hint)) for c in get_args(arg) if isinstance(c, str)]
        return f"{where}unknown value '{wrong.group(1)}'{nearest(wrong.group(1), choices)}"
    return f"{where}{text[:1].lower()}{text[1:]}"


def _walk(kind: Any, data: Any, path: str) -> tuple[list[str], Any]:
    """The keys along msgspec's path and the type at its end.

    msgspec writes `[...]` for a mapping's key: it is the first one whose value does not fit.
    """
    names: list[str] = []
    hint: Any = kind
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        if step == "[...]":
            hint = _inner(hint)
            key = next((k for k, v in data.items() if not _fits(v, hint)), "?") if isinstance(data, dict) else "?"
            data = data.get(key) if isinstance(data, dict) else None
        elif step.startswith("["):
            hint, key = _inner(hint), step
            data = data[int(step[1:-1])] if isinstance(data, list) else None
        else:
            hint = get_type_hints(_struct_in(hint), include_extras=True).get(step, hint)
            key, data = step, data.get(step) if isinstance(data, dict) else None
        names.append(str(key))
    return names, hint


def _fits(value: Any, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _inner(hint: Any) -> Any:
    """The value type of `dict[str, X]`, `tuple[X, ...]`, also inside `X | None` or `Annotated`."""
    for arg in (hint, *get_args(hint)):
        args = [a for a in get_args(arg) if a is not Ellipsis]
        if get_origin(arg) in (dict, tuple, list) and args:
            return args[-1]
    return hint


def _struct_in(hint: Any) -> type[msgspec.Struct]:
    """The struct inside `X`, `X | None`, `dict[str, X]` and the like."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    for arg in get_args(hint):
        found = _struct_in(arg)
        if found is not msgspec.Struct:
            return found
    return msgspec.Struct
