"""Every public name of fluxus is in `fluxus_rx.compat`, and `install` lets it be imported as
fluxus."""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fluxus_rx
from fluxus_rx import UsageError, compat
from tests.compat.outcomes import named_fluxus, recorded_members, recorded_names
from tests.support import tools

CHECKOUT = Path(__file__).parents[2]
NAMES = recorded_names()


def ours(module: str) -> str:
    """The module that stands in for one of fluxus."""
    return module.replace("fluxus", "fluxus_rx.compat", 1)


@pytest.mark.parametrize("module", NAMES)
def test_each_module_has_the_names_of_fluxus(module: str) -> None:
    """All of them, and no others but what `install` is."""
    found = importlib.import_module(ours(module))
    assert {*found.__all__} - {"install"} == {*NAMES[module]}
    assert all(hasattr(found, name) for name in NAMES[module])


@pytest.mark.parametrize(
    "name",
    [
        "AsyncConsumer", "AsyncProducer", "AsyncTransformer", "Consumer", "Flow", "Producer",
        "Transformer",
    ],
)  # fmt: skip
def test_classes_are_also_those_of_this_library(name: str) -> None:
    """So that what is written for fluxus fits into flows of fluxus_rx."""
    assert issubclass(getattr(compat, name), getattr(fluxus_rx, name))


def test_conduits_of_both_go_together() -> None:
    """A step of fluxus_rx stands between steps of fluxus, in a chain and in a group."""
    from fluxus_rx import step
    from fluxus_rx.compat import functional as fx
    from fluxus_rx.compat.core.producer import SerialProducer

    double = step("double", lambda x: {"x": 2 * x}).options(concurrency=2)
    flow = fx.step("src", [{"x": 1}]) >> double >> fx.step("add", lambda x: {"y": x + 1})
    expected = [{"src": {"x": 1}, "double": {"x": 2}, "add": {"y": 3}}]
    assert fx.run(flow)[0] == fluxus_rx.run(flow)[0] == expected
    assert isinstance(flow, SerialProducer)
    branches = fx.step("src", {"x": 1}) >> fx.parallel(double, fx.passthrough())
    assert [*map(len, fx.run(branches))] == [1, 1]


def test_settings_of_this_library_are_there() -> None:
    """`options`, `on_error` and the others, on programs that change one import."""
    from fluxus_rx import StepOptions
    from fluxus_rx.compat import functional as fx

    flow = fx.step("src", [{"x": 1}, {"x": 0}]) >> fx.step("invert", lambda x: {"y": 1 / x})
    result = fx.run(flow, options=StepOptions(on_error="collect"))
    assert [*result.get_outputs()] == [{"src": {"x": 1}, "invert": {"y": 1.0}}]
    assert [str(failure.exception) for failure in result.failures] == ["division by zero"]


#: What these classes have from gamma-pytools, and nothing of fluxus is about.
OF_PYTOOLS = {
    "fluxus.functional.product.DictProduct": {"from_dict", "to_dict"},
    "fluxus.viz.TimelineMatplotStyle": {"apply_color_scheme", "get_renderer"},
}


@pytest.mark.parametrize("name", recorded_members())
def test_each_member_of_a_name_is_there(name: str) -> None:
    """Methods, properties and arguments; an object has them, where it sets them when it is made."""
    module, _, kind = name.rpartition(".")
    thing = getattr(importlib.import_module(ours(module)), kind)
    is_error = isinstance(thing, type) and issubclass(thing, Exception)
    parameters = () if is_error else inspect.signature(thing).parameters
    arguments = {f"{one}=" for one in parameters}
    makes = getattr(thing, "__init__", None)
    source = inspect.getsource(makes) if inspect.isfunction(makes) else ""
    set_by_objects = set(re.findall(r"self\.(\w+)", source))
    missing = {*recorded_members()[name]} - OF_PYTOOLS.get(name, set()) - set_by_objects
    assert {one for one in missing if one not in arguments and not hasattr(thing, one)} == set()


def test_dark_colours_are_known_by_their_background() -> None:
    """Those of gamma-pytools are triples of numbers up to 1."""
    from fluxus_rx.compat.viz import FlowDrawer, FlowGraphStyle

    class Step(compat.Producer[int]):
        def produce(self) -> list[int]:
            return []

    def drawn(colors: object) -> bytes:
        tools.dot()
        out = io.BytesIO()
        FlowDrawer(FlowGraphStyle(out, format="svg", colors=colors)).draw(Step(), title="Flow")
        return out.getvalue()

    night, day = SimpleNamespace(background=(0, 0, 0.1)), SimpleNamespace(background=(1, 1, 1))
    assert drawn(night) == drawn("dark") != drawn(day) == drawn(None)


def test_a_drawing_is_written_in_the_characters_that_there_are() -> None:
    """Others are escaped, and no drawing fails by them."""
    from fluxus_rx.compat.functional import RunResult

    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, "ascii", newline="\n")
    times = {"[start]": 0.0, "[end]": 1.0}
    RunResult([{"größe": {"x": 1, **times}}]).draw_timeline(style="text", out=out)
    out.flush()
    assert rb"gr\xf6\xdfe" in buffer.getvalue()


def test_results_and_products_stay_what_they_are() -> None:
    """Copied, pickled, merged and chosen from."""
    from fluxus_rx.compat.functional import RunResult, run, step
    from fluxus_rx.compat.functional.product import DictProduct

    result = run(step("src", {"x": 1}))
    chosen = result.where(lambda output: True)
    copied = copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))
    for same in (*copied, chosen):
        assert type(same) is RunResult
        assert same == result
    made = DictProduct(
        "add", {"y": 2}, precursor=next(iter(step("src", {"x": 1}))), start_time=0.0, end_time=1.0
    )
    for again in (copy.copy(made), pickle.loads(pickle.dumps(made))):
        assert type(again) is DictProduct
        assert (again.end_time, dict(again.attributes)) == (1.0, {"x": 1, "y": 2})
        assert [one.name for one in again.get_lineage()] == ["src", "add"]


def in_a_process(code: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return done.stdout


class TestInstall:
    def test_each_module_has_its_name_from_then_on(self) -> None:
        """In whichever way it is imported; more than once is once."""
        with named_fluxus("here") as fluxus:
            compat.install()
            assert fluxus is compat
            assert fluxus.__version__ == "1.0.3"
            for module in NAMES:
                assert importlib.import_module(module) is importlib.import_module(ours(module))

    def test_a_program_that_can_not_be_changed_runs(self) -> None:
        code = (
            "import fluxus_rx.compat; fluxus_rx.compat.install()\n"
            "import fluxus\n"
            "from fluxus.functional import run, step\n"
            "import fluxus.core.producer as producers\n"
            "flow = step('src', {'x': 1}) >> step('add', lambda x: {'y': x + 1})\n"
            "print(run(steps=flow), isinstance(flow, producers.BaseProducer))\n"
        )
        assert in_a_process(code) == "RunResult([{'src': {'x': 1}, 'add': {'y': 2}}]) True\n"

    def test_behind_the_real_one_it_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message tells from where it was imported, and the ways out."""
        real = type(sys)("fluxus")
        real.__file__ = "/site-packages/fluxus/__init__.py"
        with named_fluxus("here"), monkeypatch.context() as patched:
            patched.setitem(sys.modules, "fluxus", real)
            with pytest.raises(UsageError) as caught:
                compat.install()
        for part in (real.__file__, "before anything imports fluxus", "uninstall fluxus"):
            assert part in str(caught.value)

    def test_without_it_nobody_else_is_fluxus(self) -> None:
        """Importing the package alone installs nothing of that name; nor does `fluxus_rx` import
        it."""
        code = (
            "import sys, fluxus_rx; print('fluxus_rx.compat' in sys.modules)\n"
            "import fluxus_rx.compat; print('fluxus' in sys.modules)\n"
        )
        assert in_a_process(code) == "False\nFalse\n"
