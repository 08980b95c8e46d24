"""What a user may import: named in `__all__`, shown by `dir()`, annotated."""

import importlib
import inspect
import pathlib
import pkgutil
import re

import pytest

import tf_ctr
from tf_ctr.backbones import BACKBONES
from tf_ctr.joint import JOINT


def _public_packages():
    """`tf_ctr` and its packages that export something."""
    names = ["tf_ctr"]
    for module in pkgutil.walk_packages(tf_ctr.__path__, "tf_ctr."):
        if module.ispkg and getattr(importlib.import_module(module.name), "__all__", 0):
            names.append(module.name)
    return names


PACKAGES = _public_packages()
# Python gives enums, dataclasses and exceptions an `__init__` of their own.
VAGUE = re.compile(r"\b(object|callable)\b|^(dict|list|tuple|set)$")


def _exported():
    """`(where, function or class)` of all that packages export, each once."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isroutine(value) or inspect.isclass(value):
                found.setdefault(value, f"{package}.{name}")
    return [(where, value) for value, where in found.items()]


def _functions(value):
    """`{name: function}`: itself, or the constructor and the methods of a class."""
    if not inspect.isclass(value):
        return {"": value}
    own = {
        name: inspect.unwrap(getattr(member, "__func__", member))
        for name, member in vars(value).items()
        if inspect.isfunction(getattr(member, "__func__", member))
        and (not name.startswith("_") or name == "__init__")
    }
    return {
        name: function
        for name, function in own.items()
        if function.__module__.startswith("tf_ctr")
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_lists_only_public_names_and_sub_packages(package):
    module = importlib.import_module(package)
    rooms = {each.name for each in pkgutil.iter_modules(module.__path__) if each.ispkg}
    public = {name for name in dir(module) if not name.startswith("__")}
    assert public - rooms == set(module.__all__) - rooms - {"__version__"}
    assert len(module.__all__) == len(set(module.__all__))


@pytest.mark.parametrize(
    ("where", "value"), _exported(), ids=[where for where, _ in _exported()]
)
def test_public_functions_are_annotated(where, value):
    for name, function in _functions(value).items():
        signature = inspect.signature(function)
        annotations = {
            parameter.name: parameter.annotation
            for parameter in signature.parameters.values()
            if parameter.name not in ("self", "cls")
        }
        if name != "__init__":
            annotations["return"] = signature.return_annotation
        missing = [key for key, kind in annotations.items() if kind is inspect._empty]
        assert not missing, f"{where}.{name}: annotate {missing}"
        vague = {
            key: kind
            for key, kind in annotations.items()
            if VAGUE.search(
                kind if isinstance(kind, str) else inspect.formatannotation(kind)
            )
        }
        assert not vague, f"{where}.{name}: say what {vague} hold"


# The arguments of a network are its hyperparameters, as those of a layer are.
NETWORKS = {*BACKBONES.values(), *JOINT.values()}
FUNCTIONS = {
    where: value
    for where, value in _exported()
    if not inspect.isclass(value) and value not in NETWORKS
}


@pytest.mark.parametrize("where", FUNCTIONS)
def test_a_function_has_at_most_ten_parameters(where):
    assert len(inspect.signature(FUNCTIONS[where]).parameters) <= 10


def test_every_file_is_of_readable_length():
    lengths = {
        str(path): len(path.read_text().splitlines())
        for path in pathlib.Path(tf_ctr.__file__).parent.rglob("*.py")
    }
    assert not {path: lines for path, lines in lengths.items() if lines > 300}
    sources = sorted(
        lines for path, lines in lengths.items() if not path.endswith("__init__.py")
    )
    assert 100 <= sources[len(sources) // 2] <= 200
