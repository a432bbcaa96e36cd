"""The options of a step."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final, Literal, Never, Self, TypeAlias, TypedDict, Unpack, cast

from .._common.encoding import printed
from .._common.messages import check_seconds, check_whole_number, note, short, shown
from .._common.secrets import masked_text
from .._common.signatures import is_coroutine_function
from .._errors import InvalidFlowError, InvalidOptionError
from .._typing import T
from .failure import Failure
from .retry import RetryPolicy, check_retry

__all__ = ["NO_OPTIONS", "OnError", "OptionKeywords", "StepOptions", "option_hint", "shows_options"]

OnError: TypeAlias = Literal["raise", "skip", "collect"] | Callable[[Failure], Any]


class OptionKeywords(TypedDict, total=False):
    """The options of a step as keywords, for type checkers and editors; `StepOptions` tells what
    they mean. A function of your own that hands them on takes `**options: Unpack[OptionKeywords]`.

    >>> OptionKeywords(concurrency=3)
    {'concurrency': 3}
    """

    concurrency: int | None
    ordered: bool | str
    window: int | None
    buffer: int | None
    retry: int | RetryPolicy | None
    repeatable: bool
    timeout: float | None
    limiter: AbstractAsyncContextManager[Any] | None
    on_error: OnError
    executor: Literal["thread", "process"] | Executor | None


@printed
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StepOptions:
    """How a step runs; set with `.options(…)` on a step, a transformer, a chain or a group, and for
    a whole run with `run(flow, options=StepOptions(…))`.

    What is set on a step counts for that step; what is set on a chain or a group, for the steps in
    it that say nothing themselves, the innermost first; what is set for the run, for all others.

    - `concurrency`: calls of the step in flight at most, over all its paths in the run; None for no
      limit, which lets memory grow with the speed of the source. A plain function for which it is
      set on the step itself runs in threads; any other plain function runs one call at a time.
    - `ordered`: whether products leave in the order in which they came. With the name of an
      attribute, they do among those that have the same value of it. True for a whole flow, or for
      a run, gives whoever takes products as they come the order of a result, path by path; what a
      later path gives waits in memory until those before it have ended.
    - `window`: with `ordered`, how many calls may have begun that are not all handed on: a slow
      call holds back what so many others have ready. 4 times `concurrency` by default.
    - `buffer`: products that wait in front of the step at most; 16 by default.
    - `retry`: attempts per call at most, with waits of up to 1, 2, 4, … 60 seconds between, each a
      random part of that (full jitter); or a retrying object of tenacity. Errors that are no
      `Exception`, and the library's own, are not retried. A generator is called again only if it
      has given nothing yet.
    - `repeatable`: that a generator gives the same products each time it is called with the same
      ones. It is then retried after its first product too; what it had given is passed over.
    - `timeout`: seconds per attempt, after which it is cancelled, and fails with a TimeoutError.
      They count from when the call begins to run. What a generator waits for its reader doesn't
      count, nor does what holds the loop. A plain function for which it is set on the step itself
      runs in threads; any other is not interrupted, unless what it gives is awaited.
    - `limiter`: an asynchronous context manager, such as an `asyncio.Semaphore`, or a limiter of
      calls per second; each attempt is made inside of it. Steps, branches and runs that have the
      same object share it. A generator is inside until it ends; but while a product of it waits
      for a step further down that has the same limiter, or for its turn in an order, it lends its
      place, and then enters it once more.
    - `on_error`: what becomes of a call that has failed for good. `"raise"` ends the run, `"skip"`
      leaves out its product, `"collect"` puts a `Failure` into the failures of the result, and a
      function is called with the `Failure`, and gives what the step should have, or None.
    - `executor`: `"thread"`, `"process"`, or a `concurrent.futures.Executor`: where a plain
      function runs. A generator's products are made there as well, up to `buffer` ahead of who
      takes them; in a process, all before the first one. A call in a thread that is cancelled or
      runs out of time goes on, and counts for `concurrency` and `limiter` until it ends; if nothing
      else runs for 30 seconds, `UsageError` ends the run. One in a process ends with its process.

    Raises `InvalidOptionError` (a ValueError) for a value out of its range, TypeError for a name
    that is no option.

    >>> StepOptions(concurrency=3)
    StepOptions(concurrency=3)
    >>> StepOptions().concurrency
    256
    """

    concurrency: int | None = 256
    ordered: bool | str = False
    window: int | None = None
    buffer: int | None = None
    retry: int | RetryPolicy | None = None
    repeatable: bool = False
    timeout: float | None = None
    limiter: AbstractAsyncContextManager[Any] | None = None
    on_error: OnError = "raise"
    executor: Literal["thread", "process"] | Executor | None = None

    #: what was given, and not only its values: an option that is set to its default is set
    _given: ClassVar[tuple[str, ...]] = ()

    def __new__(cls, *misplaced: Never, **given: Unpack[OptionKeywords]) -> Self:
        _check_names("StepOptions", misplaced, given)
        self = object.__new__(cls)
        object.__setattr__(self, "_given", tuple(given))
        return self

    def __post_init__(self) -> None:
        check_whole_number("concurrency", self.concurrency, "calls", none="no limit")
        check_whole_number("window", self.window, "calls", none="the default")
        check_whole_number("buffer", self.buffer, "products", none="the default")
        if not isinstance(self.ordered, bool | str) or self.ordered == "":
            raise InvalidOptionError(
                f"ordered={shown(self.ordered)}: expected True or False, or the name of an"
                " attribute, to keep the order of products that have the same value of it"
            )
        if type(self.repeatable) is not bool:
            raise InvalidOptionError(f"repeatable={shown(self.repeatable)}: expected True or False")
        check_retry(self.retry)
        check_seconds("timeout", self.timeout, none="no limit")
        _check_limiter(self.limiter)
        if self.on_error not in ("raise", "skip", "collect") and not callable(self.on_error):
            raise InvalidOptionError(
                f"on_error={shown(self.on_error)}: expected 'raise', 'skip', 'collect', or a"
                " function of a Failure"
            )
        if self.executor not in (None, "thread", "process") and (
            not isinstance(self.executor, Executor)
        ):
            raise InvalidOptionError(
                f"executor={shown(self.executor)}: expected 'thread', 'process', an Executor of"
                " concurrent.futures, or None"
            )

    @property
    def limit(self) -> float:
        """`concurrency` as a number.

        >>> StepOptions(concurrency=None).limit
        inf
        """
        return math.inf if self.concurrency is None else self.concurrency

    @property
    def waits(self) -> bool:
        """Whether a call may have to wait, though its function doesn't.

        >>> StepOptions(retry=3).waits, StepOptions(on_error="skip").waits
        (True, False)
        """
        return (
            self.executor is not None
            or self.timeout is not None
            or self.limiter is not None
            or self.retry not in (None, 1)
            or (callable(self.on_error) and is_coroutine_function(self.on_error))
        )

    def given(self) -> dict[str, Any]:
        """The options that are set.

        >>> StepOptions(ordered=False).given()
        {'ordered': False}
        """
        return {name: getattr(self, name) for name in _DEFAULTS if self.has(name)}

    @staticmethod
    def is_option(name: str) -> bool:
        """Whether there is an option of this name.

        >>> StepOptions.is_option("retry"), StepOptions.is_option("retries")
        (True, False)
        """
        return name in _DEFAULTS

    def has(self, name: str) -> bool:
        """Whether this option is set.

        >>> StepOptions(ordered=False).has("ordered")
        True
        """
        return name in self._given

    def replaced(self, options: OptionKeywords, who: str = "StepOptions") -> StepOptions:
        """These options, with some of them set anew; `who` has them, for messages. What is not set
        stays so, while `dataclasses.replace` sets all.

        >>> StepOptions(concurrency=3).replaced({"ordered": True})
        StepOptions(concurrency=3, ordered=True)
        """
        _check_names(who, (), options)
        try:
            return StepOptions(**{**self.given(), **options})
        except ValueError as error:
            note(error, f"in the options of {who}")
            raise

    def over(self, defaults: StepOptions) -> StepOptions:
        """These options, and for those that are not set, the defaults.

        >>> StepOptions(concurrency=3).over(StepOptions(concurrency=5, ordered=True))
        StepOptions(concurrency=3, ordered=True)
        """
        if not defaults._given:
            return self
        return StepOptions(**{**defaults.given(), **self.given()}) if self._given else defaults

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StepOptions):
            return NotImplemented
        return self.given() == other.given()

    def __hash__(self) -> int:
        return hash(tuple(self.given().items()))

    def __repr__(self) -> str:
        return f"StepOptions({', '.join(self.texts())})"

    def texts(self) -> Iterator[str]:
        """The options that are set, as they are written.

        >>> list(StepOptions(retry=3, on_error=print).texts())
        ['retry=3', 'on_error=print']
        """
        for name, value in self.given().items():
            yield f"{name}={_written(value)}"


def shows_options(*names: str) -> Callable[[T], T]:
    """Have `inspect`, and so prompts and the reference, show the options of a method that takes
    them as `**options`: those of these names, or all. None has a default there, as what isn't given
    stays as it is. A call that gives something by position is refused.

    >>> @shows_options("window", "ordered")
    ... def options(self, **options: Unpack[OptionKeywords]) -> None: ...
    >>> print(inspect.signature(options))
    (self, *, ordered: 'bool | str' = ..., window: 'int | None' = ...) -> 'None'
    """

    def decorated(method: T) -> T:
        plain: Any = method

        @functools.wraps(plain)
        def shown(*positional: Any, **options: Any) -> Any:
            if not positional:
                raise InvalidFlowError(
                    f"{plain.__qualname__}() was called on a class; options are set on what is made"
                    f" of it: conduit.options({_as_keywords(options)})"
                )
            conduit, *misplaced = positional
            if misplaced:
                _check_names(getattr(conduit, "_flow_label", ""), misplaced, options)
            return plain(conduit, **options)

        own = inspect.signature(plain)
        parameters = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        parameters += [
            inspect.Parameter(one.name, _KEYWORD, default=_AS_BEFORE, annotation=one.type)
            for one in dataclasses.fields(StepOptions)
            if one.name in names or not names
        ]
        cast(Any, shown).__signature__ = own.replace(parameters=parameters)
        return cast(T, shown)

    return decorated


def _check_names(who: str, misplaced: Sequence[object], given: Mapping[str, Any]) -> None:
    """Refuse what is given by position, and names that are no options."""
    if misplaced:
        value = misplaced[0]
        meant = "concurrency=3"
        if isinstance(value, StepOptions):
            meant = f"**{short(value)}.given()"
        elif isinstance(value, Mapping) and value and all(name in _DEFAULTS for name in value):
            meant = _as_keywords(value)
        raise InvalidFlowError(
            f"{who}: options are given by their names, not as {shown(value)}; write"
            f" {'StepOptions' if who == 'StepOptions' else '.options'}({meant})"
        )
    for name in given:
        if name not in _DEFAULTS:
            raise InvalidFlowError(f"{who}: no option {name!r}; there are {', '.join(_DEFAULTS)}")


def _as_keywords(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={short(value, name)}" for name, value in options.items())


def option_hint(step: str, given: Mapping[str, Any], *, of_source: bool = False) -> str:
    """What to write, for the end of a message, if options were given to `step` as its arguments.

    >>> option_hint("step('s', f)", {"concurrency": 3})
    "; options are set by step('s', f).options(concurrency=3)"
    """
    names = [name for name in given if name in _DEFAULTS]
    if of_source and names and names != ["executor"]:
        return f"; {names[0]!r} is an option of steps that take products"
    options = ", ".join(f"{name}={short(given[name])}" for name in names)
    return f"; options are set by {step}.options({options})" if names else ""


class _AsBefore:
    def __repr__(self) -> str:
        return "..."


_AS_BEFORE: Final = _AsBefore()
_KEYWORD: Final = inspect.Parameter.KEYWORD_ONLY
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(StepOptions)}
# `inspect` asks `__new__`, which is called first, and takes whatever is given.
_new: Any = StepOptions.__new__
_new.__signature__ = inspect.signature(StepOptions.__init__)


#: Characters of an object as it writes itself; of a longer one, what matters is shown.
_MOST_CHARACTERS_WRITTEN: Final = 100


def _written(value: object) -> str:
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    try:
        text = masked_text(repr(value))
        return text if len(text) <= _MOST_CHARACTERS_WRITTEN else short(value)
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def _check_limiter(value: object) -> None:
    if value is None:
        return
    kind = type(value)
    if isinstance(value, type) or not (hasattr(kind, "__aenter__") and hasattr(kind, "__aexit__")):
        raise InvalidOptionError(
            f"limiter={shown(value)}: expected an asynchronous context manager that can be entered"
            " any number of times, such as asyncio.Semaphore(10)"
        )
    if kind.__name__ == "_AsyncGeneratorContextManager" and kind.__module__ == "contextlib":
        raise InvalidOptionError(
            f"limiter={shown(value)}: what @asynccontextmanager gives can be entered once only;"
            " pass an object whose class has __aenter__ and __aexit__"
        )


#: Those that set nothing; made once, as their values are checked, which costs a flow 9 µs a step
#: (benchmark "startup, first result").
NO_OPTIONS: Final = StepOptions()
