"""From a dataset to another format and back: whole folders, or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...spec.errors import SpecError, unknown
from ..dataset import Dataset
from ..header import HEADER, Header, read_header
from ..recorder import new_folder
from .lerobot import INFO
from .lerobot_reading import read_lerobot
from .lerobot_writing import write_lerobot
from .minari_files import DATA, META, read_minari, write_minari
from .shards import adopt, restore

FORMATS = ("minari", "lerobot")


def export_dataset(source: Path | str, format: str, out: Path | str) -> str:  # noqa: A002  the command's own word
    """Write the dataset `source` in another format into the new folder `out`; return how it is loaded there.

    `minari`: HDF5 files as Minari reads them; `lerobot`: Parquet files of LeRobot's version 3.0. Raises SpecError for
    an unknown format, a damaged dataset and a folder that holds something, ImportError if a package is missing.
    """
    _known(format)
    dataset = Dataset(source)
    if not dataset.header.shards:
        raise SpecError(f"{dataset.folder}: expected a dataset with steps in it, got none")
    with _whole(Path(out)) as folder:
        if format == "minari":
            name = write_minari(dataset, folder, Path(out).resolve().name)
            return f"minari.MinariDataset('{Path(out) / DATA}'), or minari.load_dataset('{name}') from its own root"
        write_lerobot(dataset, folder)
        return f"LeRobotDataset('{Path(out).resolve().name}', root='{out}')"


def import_dataset(source: Path | str, out: Path | str, format: str = "") -> Header:  # noqa: A002
    """Read a dataset of another format (found by its files, if not told) into the new folder `out`; return its header.

    One that was exported from here becomes what it was, byte for byte. Raises SpecError naming file and place of what
    is missing, damaged or not understood, ImportError if a package is missing.
    """
    place = Path(source)
    kind = _known(format) if format else find_format(place)
    found = read_minari(place) if kind == "minari" else read_lerobot(place)
    with _whole(Path(out)) as folder:
        if found.header is not None:
            restore(found.header, found.episodes, folder, place)
        else:
            adopt(found, folder, place, kind)
    return read_header(Path(out))


def find_format(folder: Path) -> str:
    """Return the format of a folder's files. Raises SpecError if it has none that is known."""
    if (folder / INFO).is_file():
        return "lerobot"
    if (folder / DATA / META).is_file() or (folder / META).is_file():
        return "minari"
    if (folder / HEADER).is_file():
        raise SpecError(f"{folder}: expected a dataset of another format, got one of ours: it needs no import")
    raise SpecError(f"{folder}: expected {INFO} (LeRobot) or {DATA}/{META} (Minari) in it, found neither")


def _known(name: str) -> str:
    if name not in FORMATS:
        raise unknown("--format", "format", name, FORMATS)
    return name


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` that becomes it when the block ends well, and goes otherwise."""
    new_folder(path)
    temporary = path.resolve().with_name(f".{path.resolve().name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        yield temporary
        temporary.replace(path)
    except BaseException:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
