"""Where progress is shown, and what it looks like there."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from rich.console import Console

from fluxus_rx import Progress, arun, run, step
from fluxus_rx._monitoring import displays as displays
from fluxus_rx._monitoring.displays import (
    HINT,
    Display,
    Lines,
    Notebook,
    fitting_display,
    progress_table,
)
from fluxus_rx._monitoring.progress import StepProgress
from fluxus_rx._monitoring.terminal import Terminal, progress_group
from tests.monitoring.test_reporting import slow_flow, source, virtually
from tests.support.progress_meters import at

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


Stream = TypeVar("Stream")


class Screen(io.StringIO):
    """A terminal, as far as what is written to it."""

    def isatty(self) -> bool:
        return True


@contextmanager
def stderr(stream: Stream, **environment: str) -> Iterator[Stream]:
    """Have this for stderr; not as a fixture, for pytest puts its own there before the test."""
    settings = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **environment}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stderr", stream)
        yield stream


def closed(display: Display) -> Display:
    display.close()
    return display


def running(*steps: StepProgress) -> Progress:
    return Progress(12.0, steps, 24.0, "running")


class TestLines:
    def test_there_is_a_line_every_five_seconds_and_one_at_the_end(self) -> None:
        """Each is complete, and there is nothing else."""
        with stderr(io.StringIO()) as file:
            virtually(slow_flow(12, 0.99), True)
        assert file.getvalue().splitlines() == [
            "5.0 s: src 6/12 (1.2/s, ETA 5 s), wait 5/12 (1.0/s, 1 in flight, ETA 7 s)",
            "10.0 s: src 11/12 (1.1/s, ETA 1 s), wait 10/12 (1.0/s, 1 in flight, ETA 2 s)",
            "done after 11.9 s: src 12/12 (1.1/s), wait 12/12 (1.0/s, 990 ms each)",
        ]

    def test_a_line_is_there_as_soon_as_it_is_written(self) -> None:
        """Into a pipe, too, and each line in one piece."""
        calls: list[str] = []
        with stderr(SimpleNamespace(write=calls.append, flush=lambda: calls.append("flush"))):
            Lines().show(running(at(done=1)))
        assert calls == ["12.0 s: fetch 1\n", "flush"]

    @pytest.mark.parametrize("kind", ["none", "closed", "broken"])
    def test_a_stderr_that_is_gone_does_not_end_the_run(self, kind: str) -> None:
        """Nobody reads it, so nothing is written."""

        class Broken(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        closed = io.StringIO()
        closed.close()
        with stderr({"none": None, "closed": closed, "broken": Broken()}[kind]):
            assert len(run(source(2), progress=True)[0]) == 2


class TestChoice:
    def test_a_file_gets_lines(self) -> None:
        """What is not a terminal is read later."""
        with stderr(io.StringIO()):
            assert isinstance(fitting_display(), Lines)

    @pytest.mark.parametrize("term", ["dumb", "unknown"])
    def test_a_terminal_that_can_not_draw_gets_lines(self, term: str) -> None:
        """One that can't move its cursor isn't fit for a table."""
        with stderr(Screen(), TERM=term):
            assert isinstance(fitting_display(), Lines)

    def test_a_terminal_that_rich_does_not_draw_in_gets_lines(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rich has settings of its own for that, which grow in number, and they are respected."""
        monkeypatch.setattr("rich.console.Console.is_terminal", False)
        with stderr(Screen()):
            assert isinstance(closed(fitting_display()), Lines)

    def test_a_file_that_is_said_to_be_a_terminal_gets_lines(self) -> None:
        """FORCE_COLOR, as services for tests set it, makes no terminal of a file."""
        with stderr(io.StringIO(), FORCE_COLOR="1"):
            assert isinstance(fitting_display(), Lines)

    def test_a_kernel_gets_a_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """IPython in a terminal isn't a notebook."""
        shell = SimpleNamespace()
        ipython: Any = SimpleNamespace(get_ipython=lambda: shell)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        with stderr(Screen()):
            assert isinstance(closed(fitting_display()), Terminal)
            shell.kernel = object()
            assert isinstance(fitting_display(), Notebook)

    def test_without_rich_the_first_line_says_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then come the lines, with nothing lost."""
        monkeypatch.delitem(sys.modules, "fluxus_rx._monitoring.terminal")
        monkeypatch.setitem(sys.modules, "rich.console", None)
        with stderr(Screen()) as screen:
            virtually(slow_flow(6), True)
        lines = screen.getvalue().splitlines()
        assert lines[0] == HINT
        assert 'needs rich: pip install "rich>=13"' in lines[0]
        assert [line.split(":")[0] for line in lines[1:]] == ["5.0 s", "done after 6.0 s"]

    def test_a_second_run_at_the_same_time_gets_lines(self) -> None:
        """Two tables would overwrite each other; a later run has its table again."""
        with stderr(Screen()):
            first = fitting_display()
            assert isinstance(fitting_display(), Lines)
            assert isinstance(closed(first), Terminal)
            assert isinstance(closed(fitting_display()), Terminal)

    @pytest.mark.parametrize("stdout", [object(), None])
    def test_whatever_stdout_is_the_table_is_shown(
        self, stdout: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Log splitters put objects in its place that know nothing but `write`."""
        with stderr(Screen()):
            monkeypatch.setattr(sys, "stdout", stdout)
            assert isinstance(closed(fitting_display()), Terminal)
            assert isinstance(closed(fitting_display()), Terminal)

    def test_a_run_inside_a_step_has_its_lines_above_the_table(self) -> None:
        """What is written to stderr goes there, as what users print does."""

        async def nested(x: int) -> dict[str, int]:
            await asyncio.sleep(1.0)  # until the table is there
            await arun(source(3), progress=True)
            return {}

        with stderr(Screen()) as screen:
            virtually(source(1) >> step("nested", nested), True)
        text = screen.getvalue()
        assert (text.count(HIDE), text.count(SHOW)) == (1, 1)
        assert text.index(HIDE) < text.index("src 3/3\n") < text.index(SHOW)


class TestTerminal:
    def test_the_last_state_stays_and_the_cursor_comes_back(self) -> None:
        """Stderr is what it was, and the next line is free."""
        with stderr(Screen()) as screen:
            virtually(slow_flow(2), True)
            assert sys.stderr is screen
        table, end = screen.getvalue().split("done after 2.0 s")
        assert "2/2" in table[table.rindex("step") :]
        assert (table.count(HIDE), end.count(SHOW)) == (1, 1)
        assert "\n" in end
        assert "\x1b[1A" not in end

    @pytest.mark.parametrize(
        ("error", "state"), [(ZeroDivisionError, "failed"), (KeyboardInterrupt, "cancelled")]
    )
    def test_the_cursor_comes_back_after_an_error(
        self, error: type[BaseException], state: str
    ) -> None:
        """The last line says how the run has ended."""

        async def fail(x: int) -> dict[str, int]:
            raise error

        with stderr(Screen()) as screen:
            with pytest.raises(error):
                run(source(1) >> step("fail", fail), progress=True)
            assert sys.stderr is screen
        text = screen.getvalue()
        assert text.rindex(HIDE) < text.index(f"{state} after 0.0 s") < text.rindex(SHOW)

    def test_it_is_drawn_by_the_run_itself(self) -> None:
        """No thread is started."""
        seen: set[threading.Thread] = set()

        async def look(x: int) -> dict[str, int]:
            await asyncio.sleep(1.0)
            seen.update(threading.enumerate())
            return {}

        before = {*threading.enumerate()}
        with stderr(Screen()):
            virtually(source(3) >> step("look", look), True)
        assert seen == before

    def test_what_is_printed_goes_above_the_table_unless_it_is_piped(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file gets what was printed, and nothing of the table."""

        async def speak(x: int) -> dict[str, int]:
            await asyncio.sleep(1.0)
            print("to stdout")
            print("to stderr", file=sys.stderr)
            return {}

        monkeypatch.setattr(sys, "stdout", file := io.StringIO())
        with stderr(Screen()) as screen:
            virtually(source(1) >> step("speak", speak), True)
        assert file.getvalue() == "to stdout\n"
        assert screen.getvalue().index("to stderr\n") < screen.getvalue().rindex("step")

    def test_a_terminal_that_goes_away_does_not_end_the_run(self) -> None:
        """The run goes on in silence, and the next one may have a table."""

        async def close(x: int) -> dict[str, int]:
            await asyncio.sleep(0.55)
            screen.close()
            await asyncio.sleep(0.5)
            return {"y": 1}

        with stderr(Screen()) as screen:
            assert len(virtually(source(1) >> step("close", close), True)[0]) == 1
        with stderr(Screen()):
            assert isinstance(closed(fitting_display()), Terminal)


def text_of(progress: Progress, width: int = 80, height: int = 24) -> list[str]:
    """The lines of the table, without colours."""
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(progress_group(progress, width, height))
    return [line.rstrip() for line in capture.get().splitlines()]


class TestTable:
    def test_it_has_a_line_for_each_step_and_one_for_the_run(self) -> None:
        """The numbers stand under each other."""
        progress = running(
            at("src", 1_000, expected=1_000, rate=100.0, eta=0.0),
            at("fetch", 340, 256, 2, 1_000, 28.0, 23.5),
        )
        lines = text_of(progress)
        assert [line.split() for line in lines] == [
            ["step", "done", "in", "flight", "failed", "rate", "ETA"],
            ["src", "━" * 23, "1,000/1,000", "0", "0", "100/s"],
            ["fetch", "━" * 7 + "╸", "340/1,000", "256", "2", "28/s", "24", "s"],
            ["12.0", "s,", "ETA", "24", "s"],
        ]
        # The numbers end where their heads do.
        assert lines[0].index("flight") + 6 == lines[2].index(" 256 ") + 4
        assert lines[0].index("failed") + 6 == lines[2].index(" 2 ") + 2
        assert len(lines[0]) == len(lines[2])

    @pytest.mark.parametrize(
        ("width", "shown"),
        [
            (30, ["done"]),
            (40, ["done", "flight"]),
            (60, ["done", "flight", "failed", "rate"]),
            (68, ["done", "flight", "failed", "rate", "ETA"]),
            (76, ["━", "done", "flight", "failed", "rate", "ETA"]),
            (200, ["━", "done", "flight", "failed", "rate", "ETA"]),
        ],
    )
    def test_it_fits_in_terminals_of_any_width(self, width: int, shown: list[str]) -> None:
        """Bars go first, then what is on the right; no line is broken, nothing is cut off."""
        progress = running(*[at("abc", 340_000, 256, 2, 1_000_000, 28.0, 23_000.0)] * 5)
        lines = text_of(progress, width)
        assert len(lines) == 7
        assert max(map(len, lines)) <= width
        assert "…" not in "".join(lines)
        every = ["━", "done", "flight", "failed", "rate", "ETA"]
        assert [part for part in every if part in "".join(lines[:6])] == shown

    def test_it_has_a_column_for_what_waits_where_something_does(self) -> None:
        """Calls that wait are told by their number; a step that has no room for its products says
        that it is blocked."""
        lines = text_of(running(at("src", blocked=True), at("fetch", 3, waiting=9)), 100)
        assert lines[0].split() == [
            "step",
            "done",
            "in",
            "flight",
            "waiting",
            "failed",
            "rate",
            "ETA",
        ]
        assert lines[1].split()[-3:] == ["0", "blocked", "0"]
        assert lines[2].split()[-3:] == ["0", "9", "0"]
        table = progress_table(running(at("fetch", 3, waiting=9)))
        assert ">waiting</th>" in table
        assert ">waiting</th>" not in progress_table(running(at("fetch", 3)))

    @pytest.mark.parametrize("height", [1, 5, 24, 50])
    def test_it_fits_in_terminals_of_any_height(self, height: int) -> None:
        """What there is no room for is summed up."""
        progress = running(*[at(f"step{index}", done=1, expected=2) for index in range(100)])
        lines = text_of(progress, height=height)
        assert len(lines) == max(height - 1, 3)
        assert lines[-2].startswith(f"… {100 - max(height - 4, 0)} more steps")

    def test_a_long_name_is_shortened_in_its_middle(self) -> None:
        """Names that differ at their end can be told apart."""
        name = "fetch_all_the_pages_of_the_world_wide_web"
        lines = text_of(running(at(f"{name}_1"), at(f"{name}_2")))
        assert lines[1].split()[0] == "fetch_all_the…_web_1"
        assert lines[2].split()[0] == "fetch_all_the…_web_2"

    def test_names_are_no_markup(self) -> None:
        """What is in brackets is shown as it is."""
        assert text_of(running(at("[red]x[/red]")))[1].startswith("[red]x[/red] ")

    def test_failures_stand_out(self) -> None:
        """In bold red, and only they."""
        console = Console(
            width=80,
            file=io.StringIO(),
            color_system="standard",
            force_terminal=True,
            no_color=False,  # whatever NO_COLOR says
        )
        with console.capture() as capture:
            console.print(progress_group(running(at("a"), at("b", failed=7)), 80, 24))
        assert capture.get().count("\x1b[1;31m") == 1
        assert "\x1b[1;31m       7\x1b[0m" in capture.get()

    def test_nothing_is_drawn_of_a_run_without_steps(self) -> None:
        """Only how long it has run."""
        assert text_of(Progress(0.1, (), None, "running"))[-1] == "0.1 s"


class TestHtml:
    def test_names_are_escaped(self) -> None:
        """A name isn't HTML."""
        text = progress_table(running(at("<script>alert('&')</script>")))
        assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in text
        assert "<script" not in text

    def test_bars_are_as_long_as_what_is_over(self) -> None:
        """Green when full, striped where the end is unknown."""
        text = progress_table(running(at(done=1, expected=3), at(done=3, expected=3), at(done=1)))
        assert "width: 33.3%; background: #2f81f7" in text
        assert "width: 100.0%; background: #2da44e" in text
        assert text.count("repeating-linear-gradient") == 1

    @pytest.mark.parametrize(("failed", "number"), [(0, 0), (5, 1)])
    def test_failures_stand_out(self, failed: int, number: int) -> None:
        """In red, and only they."""
        assert progress_table(running(at(failed=failed))).count("color: #e5534b") == number

    def test_a_large_flow_is_summed_up(self) -> None:
        """A notebook does not scroll away."""
        text = progress_table(running(*[at(done=1)] * 500))
        assert text.count("<tr>") == 41
        assert "… 461 more steps" in text

    def test_a_notebook_has_one_table_that_changes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is shown twice a second, in HTML and as a line of text."""
        shown: list[tuple[str, Any, str]] = []

        def spy(name: str) -> Callable[..., None]:
            def show(bundle: Any, *, raw: bool, display_id: str) -> None:
                assert raw
                shown.append((name, bundle, display_id))

            return show

        for name in ("display", "update_display"):
            monkeypatch.setattr(f"IPython.display.{name}", spy(name))
        monkeypatch.setattr(displays, "in_notebook", lambda: True)
        virtually(slow_flow(2, 0.95), True)
        assert [name for name, *_ in shown] == ["display", *["update_display"] * 3]
        assert len({display_id for *_, display_id in shown}) == 1
        assert (
            shown[-1][1]["text/plain"]
            == "done after 1.9 s: src 2/2 (2.1/s), wait 2/2 (1.1/s, 950 ms each)"
        )
        assert shown[-1][1]["text/html"].startswith("<table>")
