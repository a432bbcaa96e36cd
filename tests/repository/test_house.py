"""The house keeps its measures: rooms and sentences of a size that a reader can hold in mind."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.repository.house import House, circles, levels, report
from tests.repository.test_layers import ORDER

MODULE_LINES = 450
FUNCTION_LINES = 40
FOLDER_MODULES = 14
LEVELS = 12

#: How many there may be of what should not be.
BOUNDS = {
    "modules": 0,
    "functions": 0,
    "folders": 0,
    "shared names": 0,
    "modules in circles": 0,
    "questions of readers": 0,
    "questions elsewhere": 0,
}

#: Functions that are longer because that was measured: the benchmark, and what shorter ones cost.
MEASURED = {
    "_streams.flat_map.FlatMap._work": "async at limit 10, streams: 4 % of an item each",
}

#: What reads descriptions, and asks no conduit for its class.
READERS = ("viz.", "_check.")


@cache
def house() -> House:
    """This checkout, counted once."""
    return House()


def hold(name: str, found: list[str]) -> None:
    """Fail if there is more than the bound says, and tell what there is."""
    if len(found) > BOUNDS[name]:
        pytest.fail("\n".join([f"{len(found)} {name}, {BOUNDS[name]} allowed:", *found]))


def test_modules_have_up_to_450_lines() -> None:
    sizes = house().module_sizes().most_common()
    hold("modules", [f"{name} {size}" for name, size in sizes if size > MODULE_LINES])


def test_functions_have_up_to_40_lines_of_code() -> None:
    """Without docstring and comments; those that were measured are named."""
    sizes = house().function_sizes().most_common()
    long = [f"{name} {size}" for name, size in sizes if size > FUNCTION_LINES]
    hold("functions", [line for line in long if line.split()[0] not in MEASURED])


def test_each_measured_exception_is_still_one() -> None:
    """A function that has become short needs no reason."""
    sizes = house().function_sizes()
    assert [name for name in MEASURED if sizes[name] <= FUNCTION_LINES] == []


def test_folders_have_up_to_14_modules() -> None:
    sizes = house().folder_sizes().most_common()
    hold("folders", [f"{name} {size}" for name, size in sizes if size > FOLDER_MODULES])


def test_a_top_level_name_stands_in_one_module() -> None:
    """Whoever looks for it finds one."""
    shared = house().shared_names().items()
    hold("shared names", [f"{name}: {', '.join(modules)}" for name, modules in shared])


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports and those for types count."""
    found = circles(house().imports)
    hold("modules in circles", [name for circle in found for name in sorted(circle)])


def test_no_reader_asks_a_conduit_for_its_class() -> None:
    """Drawings and checks read descriptions."""
    asked = house().conduit_questions()
    hold("questions of readers", [one for one in asked if one.startswith(READERS)])


def test_nobody_else_asks_a_conduit_for_its_class() -> None:
    """Outside of the folder of the class they ask for its role."""
    asked = house().conduit_questions()
    hold("questions elsewhere", [one for one in asked if not one.startswith(READERS)])


def test_the_folders_have_at_most_12_levels() -> None:
    assert len(ORDER) <= LEVELS
    assert levels(house().folder_imports) <= LEVELS


@pytest.fixture
def small_house(tmp_path: Path) -> House:
    """A package of which everything is known."""
    files = {
        "__init__.py": "from ._a.one import f\n",
        "_a/__init__.py": "",
        "_a/one.py": (
            "def f(\n    x,\n):\n    '''Has five lines of code,\n    with its head.'''\n"
            "    # and no more\n\n    return '''\n    '''\n"
        ),
        "_a/two.py": "import typing\nif typing.TYPE_CHECKING:\n    from . import three\n",
        "_a/three.py": "SIZE = 1\ndef late():\n    import fluxus_rx._a.two\n",
        "_b.py": (
            "from ._a import one\nSIZE: int = 2\nclass Conduit: ...\n"
            "class Sink(Conduit): ...\nisinstance(1, Sink)\n"
        ),
        "_c.py": (
            "from ._b import Conduit, Sink\nisinstance(1, int | Sink)\n"
            "match 1:\n    case Conduit(): pass\nissubclass(int, (str, bytes))\n"
        ),
    }
    for name, text in files.items():
        path = tmp_path / "fluxus_rx" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return House(tmp_path)


class TestCounting:
    def test_lines_of_code_have_neither_docstring_nor_comment(self, small_house: House) -> None:
        assert small_house.function_sizes() == {"_a.one.f": 5, "_a.three.late": 2}

    def test_each_kind_of_import_is_an_edge(self, small_house: House) -> None:
        """Relative, absolute, late, for types; a name is imported from the module that has it."""
        assert small_house.imports == {
            "": {"_a.one"},
            "_a": set(),
            "_a.one": set(),
            "_a.two": {"_a.three"},
            "_a.three": {"_a.two"},
            "_b": {"_a.one"},
            "_c": {"_b"},
        }
        assert small_house.folder_imports == {"": {"_a"}, "_a": set(), "_b": {"_a"}, "_c": {"_b"}}

    def test_a_circle_is_found_and_stands_as_one_level(self, small_house: House) -> None:
        assert circles(small_house.imports) == [{"_a.two", "_a.three"}]
        assert circles(small_house.folder_imports) == []
        assert (levels(small_house.imports), levels(small_house.folder_imports)) == (3, 3)

    def test_names_and_questions_are_found(self, small_house: House) -> None:
        """A class that is asked for in its own folder is none of others' business."""
        assert small_house.shared_names() == {"SIZE": ["_a.three", "_b"]}
        assert small_house.conduit_questions() == ["_c:2 Sink", "_c:4 Conduit"]

    def test_the_report_has_a_line_for_each_count(self, small_house: House) -> None:
        lines = [line for line in report(small_house) if not line.startswith(" ")]
        assert len(lines) == 12
