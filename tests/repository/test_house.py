"""The house keeps its measures: rooms and sentences of a size that a reader can hold in mind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.repository.house import House, circles, levels, report
from tests.repository.test_layers import ORDER

MODULE_LINES = 450
FUNCTION_LINES = 40
FOLDER_MODULES = 14
LEVELS = 12

#: Functions that are longer because that was measured: the benchmark, and what shorter ones cost.
MEASURED = {
    "_engine.metered._StepCalls.awaiting": "started, async: 10 % of a call",
    "_engine.metered._StepCalls.awaiting.acall": "the same",
    "_functional.fused_steps.TimedSteps._row_of": "watched, timestamps: a third of a call",
    "_engine.fused_loop.FusedLoop.products": "classes, sync: 18 % of a call",
    "_streams.flat_map.FlatMap._carry": "async: each call in it costs 6 % of an item and step",
}


@pytest.fixture(scope="module")
def house() -> House:
    """This checkout, counted once."""
    return House()


def longer(sizes: Counter[str], limit: int) -> list[str]:
    """What is larger than it may be, with its size."""
    return [f"{name} {size}" for name, size in sizes.most_common() if size > limit]


def test_modules_have_up_to_450_lines(house: House) -> None:
    assert longer(house.module_sizes(), MODULE_LINES) == []


def test_functions_have_up_to_40_lines_of_code(house: House) -> None:
    """Without docstring and comments; those that were measured are named, and no others."""
    long = longer(house.function_sizes(), FUNCTION_LINES)
    assert {line.split()[0] for line in long} == MEASURED.keys()


def test_folders_have_up_to_14_modules(house: House) -> None:
    assert longer(house.folder_sizes(), FOLDER_MODULES) == []


def test_a_top_level_name_stands_in_one_module(house: House) -> None:
    """A search for it finds one."""
    assert house.shared_names() == {}


def test_no_modules_import_each_other_in_a_circle(house: House) -> None:
    """Late imports and those for types count."""
    assert circles(house.imports) == []


def test_nobody_asks_a_conduit_for_its_class(house: House) -> None:
    """Outside of the folder of the class: drawings and checks read descriptions, others ask for
    the role."""
    assert house.conduit_questions() == []


def test_the_folders_have_at_most_12_levels(house: House) -> None:
    assert len(ORDER) <= LEVELS
    assert levels(house.folder_imports) <= LEVELS


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
