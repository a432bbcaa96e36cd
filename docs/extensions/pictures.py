"""Directives that draw pictures while the documentation is built: none is stored as a file.

``flow-picture``
    The body is Python that binds ``flow``; shows the drawing of it. Options ``alt``, ``caption``,
    and ``paths``, which numbers the paths at the edges.
``timeline-picture``
    The body is Python that binds ``result``, a run with ``timestamps=True``, or ``running``, a
    started one; shows the timeline. Options ``alt`` and ``caption``.
``marble-picture``
    Lines such as ``ticks: -a-b-|`` are diagrams, in the notation of ``fluxus_rx.testing.marbles``;
    other lines are operators. Options ``alt`` and ``caption``.
``demand-picture``
    The names of parts from the source down, in lines or with commas, with the room that they have
    for items, such as ``fetch: 4``. Options ``alt`` and ``caption``.
``job``
    ``.. job:: NAME`` runs ``docs/examples/NAME.py --small --out FOLDER`` once a build, and shows
    what ``show`` names: ``output``, what it has printed; or a file from the folder, a picture or a
    text. A picture has a dark twin where there is one: ``flow.svg`` and ``flow_dark.svg``.
    Options ``alt`` and ``caption``.

Each picture is drawn in light and in dark, and stands in a box of its own, which scrolls. What has
been drawn is kept beside the doctrees by its content, so a second build is quick. An error fails
the build, with the line of the page.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from diagrams import DARK, LIGHT, Theme, demand_svg, marble_svg
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from sphinx.writers.text import TextTranslator

CHECKOUT: Final = Path(__file__).parents[2]
EXAMPLES: Final = CHECKOUT / "docs" / "examples"

#: How long a job may take, in seconds.
JOB_SECONDS: Final = 60

THEMES: Final[Mapping[str, Theme]] = {"light": LIGHT, "dark": DARK}
PICTURES: Final = {".svg", ".png"}


class PictureError(SphinxError):
    """A picture can't be drawn, or a job has failed; the build ends."""

    category = "Picture error"


class picture(nodes.General, nodes.Element):  # type: ignore[misc]  # docutils has no types
    """A picture in a page: the files of its themes, in `files`, and its caption as a child."""


@functools.cache
def fingerprint() -> str:
    """Of all that pictures are made with: the package, and this extension."""
    digest = hashlib.sha256()
    for folder in (CHECKOUT / "fluxus_rx", Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def key_of(*parts: str) -> str:
    """The name under which a drawing is kept."""
    return hashlib.sha256("\0".join((*parts, fingerprint())).encode()).hexdigest()[:20]


class PictureDirective(SphinxDirective):
    """What the directives have in common: options, a place to keep drawings, errors."""

    #: Whether the builder shows anything. Those that run examples or look at links needn't wait.
    is_shown: ClassVar[bool] = True

    has_content = True
    option_spec: ClassVar[Any] = {
        "alt": directives.unchanged_required,
        "caption": directives.unchanged_required,
    }

    @property
    def kept(self) -> Path:
        """The folder of this build in which drawings are kept."""
        folder = Path(self.env.doctreedir) / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self) -> list[nodes.Node]:
        return self.shown() if self.is_shown else []

    @abstractmethod
    def shown(self) -> list[nodes.Node]:
        """What stands in the page."""

    def figure(self, files: Mapping[str, Path], alt: str) -> nodes.Node:
        """The picture as a node, with the option `caption`."""
        shown = picture(files={theme: str(path) for theme, path in files.items()})
        shown["alt"] = self.options.get("alt", alt)
        self.set_source_info(shown)
        if caption := self.options.get("caption"):
            words, messages = self.state.inline_text(caption, self.lineno)
            shown += nodes.paragraph("", "", *words, *messages)
        return shown

    def failed(self, why: str, line: int = 0) -> PictureError:
        """The error for the line of the page, or of the body, which counts from 1."""
        source, number = self.state_machine.get_source_and_line(
            self.content_offset + line if line else self.lineno
        )
        return PictureError(f"{source}:{number}: {self.name}: {why}")


class DrawnDirective(PictureDirective):
    """A picture that its body describes."""

    def shown(self) -> list[nodes.Node]:
        if not self.content:
            raise self.failed("expected a body")
        key = key_of(self.name, str(sorted(self.options)), *self.content)
        files = {theme: self.kept / f"{key}-{theme}.svg" for theme in THEMES}
        described = self.kept / f"{key}.txt"
        if not described.exists():
            text = self.draw(files)
            described.write_text(text, encoding="utf-8")
        return [self.figure(files, described.read_text(encoding="utf-8"))]

    @abstractmethod
    def draw(self, files: Mapping[str, Path]) -> str:
        """Write a file for each theme; returns what the picture shows, in words."""


class PythonDirective(DrawnDirective):
    """A picture of what the body binds, which is Python."""

    def bound(self, *names: str) -> Any:
        """Run the body, and return what it has bound to one of the names."""
        source = "\n".join(self.content) + "\n"
        file = f"<{self.env.docname}>"
        namespace: dict[str, Any] = {"__name__": f"picture_of_{self.env.docname}"}
        try:
            with unheard():
                exec(compile(source, file, "exec"), namespace)
        except Exception as error:
            lines = [
                frame.lineno or 0
                for frame in traceback.extract_tb(error.__traceback__)
                if frame.filename == file
            ]
            lines += [error.lineno or 0] if isinstance(error, SyntaxError) else []
            what = "".join(traceback.format_exception_only(error)).strip()
            raise self.failed(what, *lines[-1:]) from error
        for name in names:
            if name in namespace:
                return namespace[name]
        raise self.failed(f"its body binds no {' and no '.join(names)}")

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Say of an error in drawing where it belongs."""
        try:
            yield
        except Exception as error:
            raise self.failed(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """What runs inside prints and logs nothing between what the build says."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


class FlowPicture(PythonDirective):
    """The drawing of a flow."""

    option_spec: ClassVar[Any] = PictureDirective.option_spec | {"paths": directives.flag}

    def draw(self, files: Mapping[str, Path]) -> str:
        from fluxus_rx.viz import draw

        flow = self.bound("flow")
        with self.told():
            for theme, style in (("light", "graph"), ("dark", "graph_dark")):
                draw(flow, style, file=files[theme], paths="paths" in self.options)
            tree = io.StringIO()
            draw(flow, "tree", file=tree)
        return "Drawing of the flow: " + " ".join(tree.getvalue().split())


class TimelinePicture(PythonDirective):
    """The timeline of a run."""

    def draw(self, files: Mapping[str, Path]) -> str:
        drawn = self.bound("result", "running")
        with self.told():
            result = drawn.partial() if hasattr(drawn, "partial") else drawn
            for theme, style in (("light", "matplot"), ("dark", "matplot_dark")):
                result.draw_timeline(style, file=files[theme])
            text = io.StringIO()
            result.draw_timeline("text", file=text)
        return "Timeline: " + text.getvalue().partition("\n")[0]


#: A diagram begins with a name; anything else, such as ``map(lambda x: 2 * x)``, is an operator.
NAMED_DIAGRAM = re.compile(r"(?P<name>[^:()=]*):(?P<diagram>.*)")


class MarblePicture(DrawnDirective):
    """Marbles."""

    def draw(self, files: Mapping[str, Path]) -> str:
        rows: list[tuple[str, str] | str] = []
        for number, line in enumerate(self.content, 1):
            found = NAMED_DIAGRAM.fullmatch(line.strip())
            rows += [(found["name"].strip(), found["diagram"].strip())] if found else []
            rows += [line.strip()] if line.strip() and not found else []
            try:
                marble_svg(rows[-1:], LIGHT)
            except ValueError as error:
                raise self.failed(str(error), number) from error
        write_themes(files, lambda theme: marble_svg(rows, theme))
        return "Marble diagram: " + "; ".join(line.strip() for line in self.content if line.strip())


class DemandPicture(DrawnDirective):
    """Items that travel down, and demand that travels up."""

    def draw(self, files: Mapping[str, Path]) -> str:
        lines = [line for line in self.content if line.strip()]
        # A line for each part may have commas in it; in one line, they stand between the parts.
        texts = [text.strip() for text in (lines if lines[1:] else lines[0].split(","))]
        parts = [tuple(map(str.strip, text.partition(":")[::2])) for text in texts if text]
        if len(parts) < 2 or not all(name for name, _ in parts):
            raise self.failed("expected names of two parts or more, such as `source, fetch: 4`")
        write_themes(files, lambda theme: demand_svg([(name, room) for name, room in parts], theme))
        path = ", ".join(f"{name} (room for {room})" if room else name for name, room in parts)
        return f"Items travel down, demand travels up: {path}"


def write_themes(files: Mapping[str, Path], drawn: Callable[[Theme], str]) -> None:
    """Write what is drawn in each theme to its file."""
    for theme, path in files.items():
        path.write_text(drawn(THEMES[theme]), encoding="utf-8")


class Job(PictureDirective):
    """What a program in docs/examples prints or writes."""

    has_content = False
    required_arguments = 1
    option_spec: ClassVar[Any] = PictureDirective.option_spec | {
        "show": directives.unchanged_required
    }

    def shown(self) -> list[nodes.Node]:
        name = self.arguments[0]
        program = EXAMPLES / f"{name}.py"
        if not program.is_file():
            raise self.failed(f"there is no program docs/examples/{name}.py")
        sources = [program, *sorted((EXAMPLES / "stand_ins").rglob("*.py"))]
        for path in sources:
            self.env.note_dependency(str(path))
        folder = self._folder_of(program, sources)
        show = self.options.get("show", "output")
        file = folder / ("output.txt" if show == "output" else f"out/{show}")
        if not file.is_file():
            there = ", ".join(sorted(path.name for path in (folder / "out").iterdir()))
            raise self.failed(
                f"the job has written no {show}; it has written: {there or 'nothing'}"
            )
        if file.suffix not in PICTURES:
            text = file.read_text(encoding="utf-8").rstrip()
            block = nodes.literal_block(text, text, language="text")
            return [block]
        dark = file.with_stem(f"{file.stem}_dark")
        files = {"light": file, "dark": dark} if dark.is_file() else {"light": file}
        return [self.figure(files, f"{file.stem} of the job {name}".replace("_", " "))]

    def _folder_of(self, program: Path, sources: Sequence[Path]) -> Path:
        """Where the output of the job is, which runs if it hasn't yet."""
        content = [path.read_text(encoding="utf-8") for path in sources]
        folder = self.kept / f"job-{program.stem}-{key_of(*content)}"
        if not folder.exists():
            # At its place only when it is complete: another process may run the same job.
            with tempfile.TemporaryDirectory(dir=self.kept) as work:
                (Path(work) / "out").mkdir()
                self._run(program, Path(work))
                with contextlib.suppress(OSError):
                    shutil.copytree(work, folder)
        return folder

    def _run(self, program: Path, work: Path) -> None:
        command = [sys.executable, str(program), "--small", "--out", "out"]
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONHASHSEED": "0"}
        try:
            done = subprocess.run(
                command, cwd=work, env=environment, capture_output=True, text=True,
                timeout=JOB_SECONDS, check=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise self.failed(f"the job took more than {JOB_SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            last = "\n".join(str(error.stderr).splitlines()[-8:])
            raise self.failed(f"the job ended with {error.returncode}:\n{last}") from error
        output = done.stdout.replace(f"{work}{os.sep}", "")
        (work / "output.txt").write_text(output, encoding="utf-8")


def visit_picture(self: HTML5Translator, node: picture) -> None:
    """Copy the files to where the other images are, and show them."""
    builder = self.builder
    folder = Path(builder.outdir) / builder.imagedir
    folder.mkdir(parents=True, exist_ok=True)
    self.body.append(self.starttag(node, "figure", CLASS="picture"))
    self.body.append('<div class="picture-box" tabindex="0">')
    for theme, path in node["files"].items():
        source = Path(path)
        # A job's files have the same names in each job.
        name = hashlib.sha256(path.encode()).hexdigest()[:8] + "-" + source.name
        shutil.copyfile(source, folder / name)
        style = f"--picture-width: {width}" if (width := width_of(source)) else ""
        themes = {"CLASS": f"only-{theme}"} if len(node["files"]) > 1 else {}
        attributes = {"src": f"{builder.imgpath}/{name}", "alt": node["alt"], "loading": "lazy"}
        attributes |= {"style": style} if style else {}
        self.body.append(self.emptytag(nodes.image(), "img", "", **attributes, **themes))
    self.body.append("</div>\n" + "<figcaption>" * bool(node.children))


def depart_picture(self: HTML5Translator, node: picture) -> None:
    self.body.append("</figcaption>" * bool(node.children) + "</figure>\n")


def width_of(path: Path) -> str:
    """The width of an SVG, as CSS knows it."""
    if path.suffix != ".svg":
        return ""
    found = re.search(r'<svg\b[^>]*?\bwidth="([\d.]+(?:px|pt)?)"', path.read_text(encoding="utf-8"))
    return "" if found is None else found[1] if found[1][-1].isalpha() else f"{found[1]}px"


def say_picture(self: TextTranslator, node: picture) -> None:
    """In a text, what the picture shows."""
    self.new_state(0)
    self.add_text(f"[Picture: {node['alt']}]")
    self.end_state()
    raise nodes.SkipNode


def ask_builder(app: Sphinx) -> None:
    PictureDirective.is_shown = app.builder.format == "html"


def setup(app: Sphinx) -> Mapping[str, bool]:
    # The programs are there to be imported by bodies, as programs import their neighbours.
    sys.path.insert(0, str(EXAMPLES))
    app.add_node(picture, html=(visit_picture, depart_picture), text=(say_picture, None))
    app.connect("builder-inited", ask_builder)
    app.add_directive("flow-picture", FlowPicture)
    app.add_directive("timeline-picture", TimelinePicture)
    app.add_directive("marble-picture", MarblePicture)
    app.add_directive("demand-picture", DemandPicture)
    app.add_directive("job", Job)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
