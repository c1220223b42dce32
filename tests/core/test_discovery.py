"""Plug-ins in a folder, and those of other distributions, which can break nothing."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.plugins import add_distribution
from toolkit.core import ToolkitWarning, discover, left_out

_numbers = itertools.count()


class Plugin:
    """What they derive from."""

    name = ""


BASE = f"import sys; Plugin = sys.modules[{__name__!r}].Plugin\n"


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of its own for each test, with two plug-ins: `a` of class A and `b` of class B."""
    name = f"some_plugins_{next(_numbers)}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "b.py").write_text(f"{BASE}class B(Plugin):\n    name = 'b'\n")
    (package / "a.py").write_text(f"{BASE}from {name}.b import B\nclass A(Plugin):\n    name = 'a'\n\nAlso = A\n")
    (package / "_hidden.py").write_text("raise RuntimeError('searched')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("toolkit.core.discovery._left_out", {})  # `toolkit doctor` in the same process would tell of them.
    return name


Add = Callable[..., None]


@pytest.fixture
def add(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Adds a distribution with one module of the same name."""

    def added(name: str, text: str, *, value: str = "") -> None:
        module = f"{name}_{group}"
        folder = tmp_path / "others"
        add_distribution(folder, name, {module: BASE + text}, group=group, values={name: value.format(module) or module})
        monkeypatch.syspath_prepend(str(folder))

    return added


def found(group: str) -> tuple[dict[str, str], list[str]]:
    """The class of each plug-in by its name, and what was warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        plugins = discover(group, Plugin)
    assert all(warning.category is ToolkitWarning for warning in told)
    texts = [str(warning.message) for warning in told]
    assert texts == [str(each) for each in left_out() if each.group == group]
    return {plugin.name: type(plugin).__qualname__ for plugin in plugins}, texts


def test_plugins_are_the_concrete_classes_of_a_folder(group: str) -> None:
    assert found(group) == ({"a": "A", "b": "B"}, [])


def test_another_distribution_adds_its_own(group: str, add: Add) -> None:
    add("acme", "class C(Plugin):\n    name = 'aa'\n")
    assert found(group) == ({"a": "A", "aa": "C", "b": "B"}, [])
    assert list(found(group)[0]) == ["a", "aa", "b"]


def test_a_class_called_as_one_of_ours_removes_nothing(group: str, add: Add) -> None:
    add("acme", "class A(Plugin):\n    name = 'c'\n")
    assert found(group) == ({"a": "A", "b": "B", "c": "A"}, [])


def test_ours_win_over_one_of_the_same_name_which_is_told(group: str, add: Add) -> None:
    add("acme", "class Mine(Plugin):\n    name = 'a'\nclass Other(Plugin):\n    name = 'c'\n")
    plugins, told = found(group)
    assert plugins == {"a": "A", "b": "B", "c": "Other"}
    assert told == [f"plug-in 'acme' of acme 1.0 ({group}) is left out: 'a' is already the name of one of the toolkit"]


def test_of_two_with_one_name_the_first_by_distribution_stays(group: str, add: Add) -> None:
    add("zeta", "class Second(Plugin):\n    name = 'c'\n")
    add("acme", "class First(Plugin):\n    name = 'c'\n")
    plugins, told = found(group)
    assert plugins == {"a": "A", "b": "B", "c": "First"}
    assert told == [f"plug-in 'zeta' of zeta 1.0 ({group}) is left out: 'c' is already the name of one of acme 1.0"]


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("import no_such_module", "", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "", "SystemExit: 3"),
        ("class C(Plugin", "", "SyntaxError: '(' was never closed"),
        ("class C(Plugin):\n    def __init__(self):\n        raise OSError('no licence')", "", "OSError: no licence"),
        ("class C(Plugin):\n    name = property(lambda self: 1 // 0)", "", "ZeroDivisionError"),
        ("class C(Plugin):\n    name = 'c'", "{}:C", "TypeError: expected a module, got 'bad_"),
        ("x = 1", "", "TypeError: expected a Plugin defined in 'bad_"),
        ("", "no_such_module_of_acme", "ModuleNotFoundError: No module named 'no_such_module_of_acme'"),
    ],
)
def test_a_broken_one_is_told_and_everything_else_goes_on(group: str, add: Add, text: str, value: str, reason: str) -> None:
    add("bad", text, value=value)
    add("good", "class G(Plugin):\n    name = 'g'\n")
    plugins, (told,) = found(group)
    assert plugins == {"a": "A", "b": "B", "g": "G"}
    assert told.startswith(f"plug-in 'bad' of bad 1.0 ({group}) is left out: {reason}")


def test_ctrl_c_in_a_plug_in_is_ctrl_c(group: str, add: Add) -> None:
    add("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover(group, Plugin)


def test_a_plug_in_is_told_once(group: str, add: Add) -> None:
    add("bad", "raise RuntimeError('escape \\x1b[31m and\\nlines')")
    assert found(group)[1] == [f"plug-in 'bad' of bad 1.0 ({group}) is left out: RuntimeError: escape  and"], "colours are left out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [plugin.name for plugin in discover(group, Plugin)] == ["a", "b"]
