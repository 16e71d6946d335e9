"""A task's `language.toml`: faults in it are errors that name the file and the key."""

import subprocess
import sys
from pathlib import Path

import pytest

from pyembody.language import load_language, translate
from pyembody.spec import SpecError
from pyembody.spec.load import data_folder

GOOD = """
examples = ["weight 2 m"]
[parameters.size]
target = "params.size"
unit = "m"
range = [0.0, 1.0]
doc = "A size."
[[words]]
say = ["size"]
topic = "size"
[[meanings]]
topics = ["size"]
parameter = "size"
"""


def load(folder: Path, text: str) -> None:
    (folder / "language.toml").write_text(text, encoding="utf-8")
    load_language(folder)


def test_small_language_without_motion_translates(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    language = load_language(tmp_path / "language.toml")
    assert translate("size 20 cm", language).edits[0].value == 0.2
    assert translate("walk forward", language).refused[0].text == "walk forward"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit", "unitt", "did you mean 'unit'"),
        ("range = [0.0, 1.0]", "range = [1.0, 0.0]", "expected low < high"),
        ('target = "params.size"', "", "exactly one of target, interval, choices"),
        ('parameter = "size"', 'parameter = "sise"', "did you mean 'size'"),
        ('say = ["size"]', 'say = ["Size"]', "lower-case"),
        ('say = ["size"]', 'say = ["size", "size"]', "said twice"),
        ("[parameters.size]", "[parameters.size", "not TOML"),
        ("range =", 'exact = { "command.zero" = 0.0 }\nrange =', "exact: expected only beside an interval"),
        ('target = "params.size"', 'target = "params..size"', "expected names, dots"),
    ],
)
def test_fault_names_the_file_and_what_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=r"language\.toml") as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(error.value)


def test_two_parameters_cannot_write_one_place(tmp_path: Path) -> None:
    second = '[parameters.other]\ntarget = "params.size"\nrange = [0.0, 1.0]\ndoc = "Again."\n'
    with pytest.raises(SpecError, match="already written by size"):
        load(tmp_path, GOOD + second)


def test_an_intent_absorbs_intents_that_there_are(tmp_path: Path) -> None:
    for name in ("language.toml", "templates.toml"):
        text = (data_folder("tasks") / "quadruped" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace('absorbs = ["stand"]', 'absorbs = ["stnad"]'), encoding="utf-8")
    with pytest.raises(SpecError, match="intent 'lift paw': absorbs: unknown intent 'stnad', did you mean 'stand'"):
        load_language(tmp_path)


def test_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"language\.toml: .*No such file"):
        load_language(tmp_path)


def test_language_imports_no_heavy_package() -> None:
    code = (
        "import sys, pyembody.language; "
        "print({'torch', 'mujoco', 'gymnasium', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
