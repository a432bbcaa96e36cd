"""The result of a run, with the frames and the timelines of fluxus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ..._errors import InvalidOptionError
from ..._results.rows import Output
from ..._results.run_result import RunResult as CoreResult
from .._adapted import adapted, stands_for
from ._layout import laid_out

if TYPE_CHECKING:
    import pandas as pd
    from pytools.expression import Expression

__all__ = ["RunResult"]


@stands_for(CoreResult)
class RunResult(CoreResult):
    """The outputs of a run, path by path.

    >>> result = RunResult([{"src": {"x": 1}}], [{"src": {"x": 2}}])
    >>> [list(outputs) for outputs in result.get_outputs_per_path()]
    [[{'src': {'x': 1}}], [{'src': {'x': 2}}]]
    """

    def merged(self, other: CoreResult) -> RunResult:
        """This result, with the result of a rerun in the place of its failures; see
        `fluxus_rx.RunResult.merged`."""
        return adapted(super().merged(other))  # type: ignore[no-any-return]

    def where(
        self,
        predicate: Callable[[Output], object] | None = None,
        /,
        **attributes: Any,
    ) -> RunResult:
        """The outputs with these attributes; see `fluxus_rx.RunResult.where`."""
        return adapted(super().where(predicate, **attributes))  # type: ignore[no-any-return]

    def __copy__(self) -> RunResult:
        return adapted(super().__copy__())  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: dict[int, Any]) -> RunResult:
        return adapted(super().__deepcopy__(memo))  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        _, *more = super().__reduce__()
        return (type(self), *more)

    def to_frame(
        self, path: int | str | None = None, simplify: bool = False, expand: bool = True
    ) -> pd.DataFrame:
        """The outputs as a pandas data frame: rows by item, columns by step, attribute, and the
        keys of nested dictionaries, as levels without names.

        Raises IndexError for a path that isn't there, ValueError where there are no outputs,
        TypeError for a result without paths.

        >>> RunResult([{"src": {"x": {"a": 1, "b": 2}}}]).to_frame().columns.tolist()
        [('src', 'x', 'a'), ('src', 'x', 'b')]
        """
        if path is None and not len(self):
            raise TypeError("the result has no paths, so there is no frame of it")
        if isinstance(path, int) and path < 0:
            raise IndexError(f"path {path}: paths count from 0")
        if not any(self if path is None else [self[path]]):
            where = "the result" if path is None else f"path {path!r}"
            raise ValueError(f"{where} has no outputs, so there is no frame of it")
        frame = super().to_frame(path=path, simplify=simplify, expand=expand)
        frame.columns = frame.columns.set_names([None] * frame.columns.nlevels)
        if frame.index.nlevels > 1:
            frame = frame.droplevel("path")
        return frame.convert_dtypes()

    def draw_timeline(  # type: ignore[override]  # ours writes to files of all kinds
        self,
        *,
        style: Literal["text", "matplot", "matplot_dark"] = "matplot",
        out: TextIO | None = None,
    ) -> None:
        """Draw what ran when: as a table, to `out` or to be printed, or with matplotlib's pyplot.

        Raises ValueError for a result without times, for another style, and for `out` with a style
        that isn't "text".

        >>> times = {"[start]": 0.0, "[end]": 0.5}
        >>> RunResult([{"src": {"x": 1, **times}}]).draw_timeline(style="text")
        =================================== Timeline ===================================
        <BLANKLINE>
        Output  Path  Step  Start  End
        ======  ====  ====  =====  ===
             0     0  src       0  0.5
        <BLANKLINE>
        <BLANKLINE>
        """
        # Here, as few programs draw.
        from ..viz import TimelineDrawer, TimelineTextStyle

        steps = [step for output in self.get_outputs() for step in output.values()]
        if not any("[start]" in step and "[end]" in step for step in steps):
            raise InvalidOptionError(
                "the result has no times; take them with run(…, timestamps=True)"
            )
        styles = TimelineDrawer.get_named_styles()
        if style not in styles:
            raise InvalidOptionError(
                f"style={style!r}: expected one of {', '.join(map(repr, styles))}"
            )
        if out is not None and style != "text":
            raise InvalidOptionError(f"out= is for style='text', and this is {style!r}")
        drawn: Any = style if out is None else TimelineTextStyle(out=out)
        TimelineDrawer(drawn).draw(self, title="Timeline")

    def __repr__(self) -> str:
        return f"RunResult({', '.join(map(repr, self))})"

    def __str__(self) -> str:
        return laid_out("RunResult", [*self])

    def to_expression(self) -> Expression:
        """This result as an expression of gamma-pytools, which has to be installed for it."""
        from .._expressions import result_expression

        return result_expression(self)


# Users see, and pickle, what they import, not where it is written.
RunResult.__module__ = "fluxus_rx.compat.functional"
