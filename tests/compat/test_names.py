"""Every public name of fluxus is in `fluxus_rx.compat`, and `install` gives it fluxus's name."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import fluxus_rx
from fluxus_rx import UsageError, compat
from tests.compat.outcomes import named_fluxus, recorded_names

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
        """Importing the package alone gives nothing that name; nor does `fluxus_rx` import it."""
        code = (
            "import sys, fluxus_rx; print('fluxus_rx.compat' in sys.modules)\n"
            "import fluxus_rx.compat; print('fluxus' in sys.modules)\n"
        )
        assert in_a_process(code) == "False\nFalse\n"
