"""`python -m fluxus_rx check|draw|explain module:flow`."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from fluxus_rx._command.main import main

ROOT = Path(__file__).parents[2]

#: A module as a user has it, in the folder that the command is called in.
MODULE = """
import asyncio

from fluxus_rx import chain, step


async def fetch(x):
    await asyncio.sleep(0.001)
    return {"y": x}


def fail(y):
    raise ValueError(f"no\\n{y}")


source = step("source", [{"x": n} for n in range(20)])
fetching = step("fetch", fetch).options(concurrency=4)
flow = source >> fetching
flows = [flow]
unlimited = source >> step("fetch", fetch).options(concurrency=None, retry=None)
failing = flow >> step("fail", fail)
lacking = source >> step("add", lambda x, z: {"y": x + z})
number = 3


class Meta(type):
    @property
    def secret(cls):
        raise RuntimeError("secret")


class Flows(metaclass=Meta):
    flow = flow


def made():
    return flow


def of(n):
    return flow


def raising():
    return {}["x"]


def exiting():
    raise SystemExit(0)


def printing():
    print("made")
    return flow


def misusing():
    return chain()


def nothing():
    pass


async def later():
    return flow
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the module `flows`, which is the working directory."""
    (tmp_path / "flows.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in ("", str(tmp_path))])
    yield tmp_path
    sys.modules.pop("flows", None)


Told = tuple[int, str, str]
Command = Callable[..., Told]


@pytest.fixture
def command(module: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls the command in this process; returns its exit code and what it printed."""

    def call(*arguments: str) -> Told:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as exit:  # of argparse
            code = int(exit.code or 0)
        return code, *capsys.readouterr()

    return call


class TestCheck:
    def test_a_flow_without_errors_exits_with_0(self, command: Command) -> None:
        """Infos are printed, unless they are left out."""
        code, out, err = command("check", "flows:flow")
        assert (code, err) == (0, "")
        assert out.startswith("info: source → fetch: ")
        assert command("check", "flows:flow", "--quiet") == (0, "", "")

    def test_an_error_of_the_flow_exits_with_1(self, command: Command) -> None:
        """It is told as `check` tells it."""
        code, out, _ = command("check", "flows:lacking", "--quiet")
        assert code == 1
        assert out.startswith("error: add: needs the attribute 'z', which nothing before it")

    def test_strict_counts_warnings_as_errors(self, command: Command) -> None:
        """For those who want a limit on each step."""
        assert command("check", "flows:unlimited")[0] == 0
        code, out, _ = command("check", "flows:unlimited", "--strict", "--quiet")
        assert code == 1
        assert out.startswith("warning: fetch: ")

    @pytest.mark.parametrize("target", ["flows:made", "flows:Flows.flow"])
    def test_a_flow_may_be_made_by_a_function_or_lie_deeper(
        self, target: str, command: Command
    ) -> None:
        """A function without arguments is called; dots lead into classes and objects."""
        assert command("check", target) == command("check", "flows:flow")

    def test_what_the_module_prints_goes_to_stderr(self, command: Command) -> None:
        """Nothing of it is among the results, which others read."""
        code, out, _ = command("check", "flows:flow")
        assert command("check", "flows:printing") == (code, out, "made\n")

    def test_nothing_runs(self, command: Command) -> None:
        """A flow whose calls would fail has no errors before it runs."""
        assert command("check", "flows:failing", "--quiet")[0] == 0


class TestDraw:
    def test_a_flow_is_drawn_in_the_terminal(self, command: Command) -> None:
        """As a tree, or in the style that is asked for."""
        code, out, _ = command("draw", "flows:flow")
        assert (code, out.splitlines()[1:]) == (0, ["○ fetch  concurrency=4", "◉ end"])
        assert command("draw", "flows:flow", "--style", "mermaid")[1].startswith("flowchart")

    def test_a_flow_is_drawn_into_a_file(self, command: Command, module: Path) -> None:
        """In the format of its ending, with the numbers of the paths if they are asked for."""
        assert command("draw", "flows:flow", "--file", "flow.mmd") == (0, "", "")
        plain = (module / "flow.mmd").read_text(encoding="utf-8")
        command("draw", "flows:flow", "--file", "flow.mmd", "--paths")
        assert plain.startswith("flowchart")
        assert (module / "flow.mmd").read_text(encoding="utf-8") != plain


class TestExplain:
    def test_the_bottleneck_of_a_run_is_told(self, command: Command) -> None:
        """The flow runs with its own input."""
        code, out, err = command("explain", "flows:flow")
        assert (code, err) == (0, "")
        assert "\nstep    in flight  waiting  done" in out
        assert [line.split()[:4] for line in out.splitlines()[-2:]] == [
            ["source", "0", "0", "20"], ["fetch", "0", "0", "20"],
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["items.jsonl", "-"])
    def test_input_comes_from_lines_of_json(
        self, name: str, command: Command, module: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From a file or from stdin; empty lines are skipped."""
        lines = '{"x": 1}\n\n{"x": 2}\n'
        (module / "items.jsonl").write_text(lines, encoding="utf-8-sig")  # as Windows writes it
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
        code, out, _ = command("explain", "flows:fetching", "--input", name)
        assert (code, out.splitlines()[-1].split()[:4]) == (0, ["fetch", "0", "0", "2"])

    def test_a_failed_run_exits_with_1_and_is_explained(self, command: Command) -> None:
        """The error is one line, with the step and the item."""
        code, out, err = command("explain", "flows:failing")
        assert code == 1
        assert out.splitlines()[-1].split()[:5] == ["fail", "0", "0", "0", "1"]
        (line,) = err.splitlines()
        assert line.startswith("the run failed: ValueError: no 0 (in step 'fail', item 0 of path")

    def test_a_traceback_is_printed_when_asked(self, command: Command) -> None:
        """Above the line."""
        err = command("explain", "flows:failing", "--traceback")[2]
        assert err.startswith("Traceback (most recent call last):")
        assert err.splitlines()[-1].startswith("the run failed: ValueError")

    def test_a_missing_package_is_told_before_the_run(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The calls of a run may have to be paid for."""
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        code, out, err = command("explain", "flows:flow", "--timeline", "run.svg")
        assert (code, out) == (2, "")
        assert 'needs matplotlib: pip install "matplotlib' in err

    def test_the_timeline_goes_to_a_file(self, command: Command, module: Path) -> None:
        """In the format of its ending, also of a run that fails."""
        assert command("explain", "flows:flow", "--timeline", "run.json")[0] == 0
        trace = json.loads((module / "run.json").read_text(encoding="utf-8"))
        calls = [event for event in trace["traceEvents"] if event.get("cat") == "call"]
        assert len(calls) == 40
        assert command("explain", "flows:failing", "--timeline", "failed.json")[0] == 1
        assert '"call,failed"' in (module / "failed.json").read_text(encoding="utf-8")


#: What is wrong, and what the one line must say.
WRONG = [
    ("check flows", "write MODULE:FLOW, such as flows:flow"),
    ("check flows.py", "such as flows:flow"),
    ("check :flow", "such as flow:flow"),
    ("check flows.py:flow", "is a file; write the name of its module, from here: flows:flow"),
    ("check ./a/flows.py:flow", "from here: a.flows:flow"),
    ("check nowhere:flow", "no module 'nowhere' is in "),
    ("check flows.nowhere:flow", "no module 'flows.nowhere' is in "),
    ("check broken:flow", "importing 'broken' failed: SyntaxError: "),
    ("check importing:flow", "importing 'importing' failed: ModuleNotFoundError: No module named"),
    ("check dividing:flow", "importing 'dividing' failed: ZeroDivisionError: division by zero ("),
    ("check dividing:flow", "dividing.py:2)"),
    ("check flows:flwo", "'flows' has no 'flwo'; did you mean flows:flow?"),
    ("check flows:absent", "its flows are source, fetching, flow, unlimited, failing, lacking"),
    ("check empty:absent", "it has no flows"),
    ("check flows:number", "flows:number is 3 (int); expected a flow, or a function without"),
    ("check flows:of", "can't be called without arguments: of() missing 1 required"),
    ("check flows:raising", "calling flows:raising failed: KeyError: 'x' ("),
    ("check flows:misusing", "calling flows:misusing failed: InvalidFlowError: chain() needs"),
    ("check flows:nothing", "flows:nothing() is None (NoneType); expected a flow"),
    ("check flows:later", "flows:later is asynchronous"),
    ("check flows:exiting", "calling flows:exiting failed: SystemExit: 0 ("),
    ("check flows:Flows.secret", "reading 'Flows.secret' of 'flows' failed: RuntimeError: se"),
    ("check flows:flows.0", "'flows' has no 'flows.0'; it has no flows"),
    ("check .flows:flow", "write whole names, such as my_package.my_module:flow"),
    ("check flows:.flow", "write whole names"),
    ("check ../other/flows.py:flow", "is a file of another folder; call this in "),
    ("check exits:flow", "importing 'exits' failed: SystemExit: 0 ("),
    ("check based:flow", "importing 'based' failed: GeneratorExit: over ("),
    ("draw flows:flow --file flow.foo", "expected one of .svg, .png"),
    ("draw flows:flow --style graph", "say where it goes, such as --file flow.svg"),
    ("draw flows:flow --file no/flow.txt", "No such file or directory: 'no/flow.txt'"),
    ("explain flows:fetching", "needs 'x'"),
    ("explain flows:fetching", "on the command line, --input FILE has them"),
    ("explain flows:flow --input items.jsonl", "input"),
    ("explain flows:fetching --input nowhere.jsonl", "No such file or directory: 'nowhere.jsonl'"),
    ("explain flows:fetching --input list.jsonl", "list.jsonl, line 2: [3]; expected a JSON obj"),
    ("explain flows:fetching --input text.jsonl", "text.jsonl, line 1: Expecting value"),
    ("explain flows:fetching --input cut.jsonl", "cut.jsonl, line 2: Expecting value (at charact"),
    ("explain flows:fetching --input latin.jsonl", "latin.jsonl, line 1: 'utf-8' codec can't dec"),
    ("explain flows:fetching --input deep.jsonl", "deep.jsonl, line 1: maximum recursion depth"),
    ("explain flows:fetching --input it.gz", "this is gzip: gunzip -c it.gz | python -m fluxus_rx"),
    ("explain flows:flow --timeline run.foo", "expected one of .txt, .html"),
    ("explain flows:flow --timeline no/run.json", "there is no folder 'no'; make it"),
]  # fmt: skip

FILES: dict[str, str | bytes] = {
    "broken.py": "flow = (",
    "importing.py": "import a_package_that_is_missing",
    "dividing.py": "\n1 / 0",
    "empty.py": "",
    "items.jsonl": '{"x": 1}\n',
    "list.jsonl": '{"x": 1}\n[3]\n',
    "text.jsonl": "x = 1\n",
    "exits.py": "import sys\nsys.exit(0)",
    "based.py": "raise GeneratorExit('over')",
    "cut.jsonl": '{"x": 1}\n{"x":\n',
    "latin.jsonl": b'{"x": "\xe9"}\n',
    "deep.jsonl": 100_000 * "[",
    "it.gz": gzip.compress(b'{"x": 1}\n'),
}


@pytest.mark.parametrize(("arguments", "text"), WRONG)
def test_wrong_usage_is_one_line_with_the_way_out(
    arguments: str, text: str, command: Command, module: Path
) -> None:
    """The exit code is 2, nothing goes to stdout, and there is no traceback."""
    for name, content in FILES.items():
        (module / name).write_bytes(content.encode() if isinstance(content, str) else content)
    code, out, err = command(*arguments.split())
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"python -m fluxus_rx {arguments.split()[0]}: error: ")
    assert text in line


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", "the following arguments are required: {check,draw,explain}"),
        ("lint flows:flow", "'lint' (choose from"),
        ("check", "the following arguments are required: MODULE:FLOW"),
        ("check flows:flow --all", "unrecognized arguments: --all"),
        ("draw flows:flow --style crayon", "'crayon' (choose from"),
    ],
)
def test_wrong_arguments_are_told_with_the_usage(
    arguments: str, text: str, command: Command
) -> None:
    """The exit code is 2 as well."""
    code, out, err = command(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("usage: python -m fluxus_rx")
    assert text in err


def test_the_help_has_examples(command: Command) -> None:
    """And the exit codes; any terminal can print it."""
    helps = [command("--help"), *(command(name, "--help") for name in ("check", "draw", "explain"))]
    assert all(code == 0 and out.isascii() for code, out, _ in helps)
    out = helps[1][1]
    assert "python -m fluxus_rx explain my_package.flows:flow --input items.jsonl" in out
    assert "0 all is well, 1 the flow has an error, 2 wrong usage" in out


def test_the_page_shows_what_is_printed(command: Command, module: Path) -> None:
    """Its flow, and what `check` says of it."""
    page = (ROOT / "docs/how_to/command_line.rst").read_text(encoding="utf-8")
    code, printed = (
        dedent(re.findall(rf"code-block:: {kind}\n\n((?:   .*\n|\n)+)", page)[0]).strip()
        for kind in ("python", "text")
    )
    (module / "flows.py").write_text(code, encoding="utf-8")
    assert command("check", "flows:flow") == (0, f"{printed}\n", "")


def test_a_terminal_of_a_narrow_encoding_gets_plain_characters(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of findings, drawings, explanations and errors."""
    for arguments in (
        "check flows:flow", "draw flows:flow", "explain flows:failing", "check flows:naïve→",
    ):  # fmt: skip
        written = io.BytesIO()
        for name in ("stdout", "stderr"):
            stream = io.TextIOWrapper(written, "ascii", errors="strict", write_through=True)
            monkeypatch.setattr(sys, name, stream)
        main(arguments.split())
        assert written.getvalue()


def process(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fluxus_rx", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONASYNCIODEBUG": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_is_a_process_with_these_exit_codes(module: Path) -> None:
    """Without anything that Python would say at its end."""
    processes = [
        process("check", f"flows:{name}", "--quiet", cwd=module)
        for name in ("flow", "lacking", "nothing")
    ]
    ends = [(*one.communicate(timeout=30), one.returncode) for one in processes]
    assert [code for _, _, code in ends] == [0, 1, 2]
    assert [err.count("\n") for _, err, _ in ends] == [0, 0, 1]


@pytest.mark.parametrize("size", [1, 400])
def test_a_reader_that_leaves_ends_the_command_in_silence(module: Path, size: int) -> None:
    """As `head` does; the exit code is that of a program which SIGPIPE ends."""
    (module / "long.py").write_text(
        "from fluxus_rx import chain, step\n"
        f"flow = chain(*[step(f's{{n}}', lambda x: {{}}) for n in range({size})])\n",
        encoding="utf-8",
    )
    with process("draw", "long:flow", cwd=module) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert (running.stderr.read(), running.wait(timeout=30)) == ("", 141)


def test_a_step_that_exits_fails_the_run(module: Path) -> None:
    """With a line that says so, and not with the exit code of the step, which may be 0."""
    (module / "leaving.py").write_text(
        "import sys\n"
        "from fluxus_rx import step\n"
        "flow = step('source', [{'x': 1}]) >> step('leave', lambda x: sys.exit(0))\n",
        encoding="utf-8",
    )
    with process("explain", "leaving:flow", cwd=module) as running:
        err = running.communicate(timeout=30)[1]
    assert running.returncode == 1
    assert "the run failed: a step called sys.exit: SystemExit: 0 (in step 'leave', item 0" in err


def test_an_interrupted_run_is_explained(module: Path) -> None:
    """Ctrl-C is how one looks into a run that hangs; the exit code is that of an interrupt."""
    (module / "hanging.py").write_text(
        "import asyncio\n"
        "from fluxus_rx import step\n"
        "async def hang(x):\n"
        "    open('hangs', 'w').close()\n"
        "    await asyncio.Event().wait()\n"
        "flow = step('source', [{'x': 1}]) >> step('hang', hang)\n",
        encoding="utf-8",
    )
    running = process("explain", "hanging:flow", cwd=module)
    while not (module / "hangs").exists():
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "")
    # The sentence on top depends on how busy the machine was; the call in flight does not.
    assert out.splitlines()[-1].split()[:2] == ["hang", "1"]
