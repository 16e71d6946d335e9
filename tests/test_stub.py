"""The stub of the core names what the module has: functions, classes, methods, arguments and defaults."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.resources import files

from pyembody import _core

STUB = ast.parse((files("pyembody") / "_core.pyi").read_text(encoding="utf-8"))


def stub_arguments(function: ast.FunctionDef) -> list[tuple[str, bool]]:
    """Names of the arguments and whether they have a default, without self."""
    names = [a.arg for a in function.args.args]
    required = len(names) - len(function.args.defaults)
    return [(name, i >= required) for i, name in enumerate(names) if name != "self"]


def module_arguments(function: object) -> list[tuple[str, bool]]:
    """The same from the signature that the module writes into the docstring's first line."""
    line = (inspect.getdoc(function) or "").splitlines()[0]
    inside = line[line.index("(") + 1 : line.rindex(")")]
    while "[" in inside:  # commas within types
        inside = re.sub(r"\[[^\[\]]*\]", "", inside)
    parts = re.findall(r"(\w+): [^=,]*(=[^,]*)?(?:,|$)", inside)
    return [(name, bool(default)) for name, default in parts if name != "self"]


def public(names: object) -> set[str]:
    return {n for n in vars(names) if not n.startswith("_")}


def functions(body: list[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {s.name: s for s in body if isinstance(s, ast.FunctionDef)}


def classes() -> dict[str, ast.ClassDef]:
    return {s.name: s for s in STUB.body if isinstance(s, ast.ClassDef)}


def test_stub_and_module_have_the_same_names():
    assert public(_core) == functions(STUB.body).keys() | classes().keys()
    for name, node in classes().items():
        members = {n for n in functions(node.body) if not n.startswith("_")}
        assert public(getattr(_core, name)) == members, name


def test_stub_and_module_have_the_same_arguments():
    for name, node in functions(STUB.body).items():
        assert module_arguments(getattr(_core, name)) == stub_arguments(node), name
    for name, node in classes().items():
        for method, definition in functions(node.body).items():
            member = getattr(getattr(_core, name), method)
            if not isinstance(member, property):
                assert module_arguments(member) == stub_arguments(definition), f"{name}.{method}"
            else:
                assert stub_arguments(definition) == []


def test_version_is_the_one_of_the_project():
    assert re.fullmatch(r"\d+\.\d+\.\d+", _core.__version__)


def test_every_public_name_of_the_module_is_documented():
    for name in public(_core):
        assert inspect.getdoc(getattr(_core, name)), name
