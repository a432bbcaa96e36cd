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
    """The options of a step as keywords, for type checkers and editors; `StepOptions` has their
    meaning. A function that passes them on takes `**options: Unpack[OptionKeywords]`.

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
    """How a step runs: concurrency, order, retries, time-outs, rate limits, failures.

    Set options with `.options(…)` on a step, a transformer, a chain or a group, and for a whole run
    with `run(flow, options=StepOptions(…))`. An option of a step takes precedence over that of the
    innermost chain or group around it, and this over those further out; the options of the run are
    for all other steps. None stands for "no limit" or for the default, as said below.

    - `concurrency`: at most so many calls of the step in flight, over all its paths in the run; 256
      by default. None sets no limit, and memory then grows with the speed of the source. A plain
      function for which it is set on the step itself runs in threads; any other plain function runs
      one call at a time.
    - `ordered`: whether products leave in the order in which they came; False by default. The name
      of an attribute keeps the order among products that have the same value of it. True for a
      whole flow, or for a run, yields the outputs of `stream` in the order of a result, path by
      path; outputs of a later path wait in memory until the paths before it have ended.
    - `window`: with `ordered`, at most so many calls that have begun and whose products have not
      all left: a slow call holds back the products of so many others. 4 times `concurrency` by
      default.
    - `buffer`: at most so many products wait in front of the step; 16 by default.
    - `retry`: at most so many attempts per call, the first included; 1 by default. The waits in
      between are random, up to 1, 2, 4, … 60 seconds (exponential backoff with full jitter). Or a
      retrying object of tenacity. Never retried: cancellation and other errors that aren't an
      `Exception`, the library's own errors, and a generator that has already yielded, because its
      products would be duplicated.
    - `repeatable`: that a generator yields the same products whenever it is called with the same
      arguments (it is replayable); False by default. It is then retried after its first product
      too, and the products already yielded are skipped.
    - `timeout`: seconds per attempt; no limit by default. The attempt is then cancelled, and fails
      with a TimeoutError. The seconds count from when the call begins to run, without the time in
      which a generator waits for its reader, or in which the loop is held. A plain function for
      which it is set on the step itself runs in threads; any other is not interrupted, unless it
      returns an awaitable.
    - `limiter`: an asynchronous context manager, such as an `asyncio.Semaphore`, or a limiter of
      calls per second; none by default. Each attempt is made inside it, so each retry waits for it
      again. Steps, branches and runs with the same limiter object share one budget. A call that
      waits for its limiter occupies one of the step's concurrency slots. A generator is inside
      until it ends; but while a product of it waits for a step further down with the same limiter,
      or for its turn in an order, it leaves the limiter, and enters it again afterwards.
    - `on_error`: what becomes of a call that has failed at its last attempt. `"raise"`, the
      default, ends the run. `"skip"` drops the product. `"collect"` adds a `Failure` to the
      failures of the result, the dead letters. A function is called with the `Failure`, and returns
      a replacement for the step's products, or None for no product.
    - `executor`: where a plain function runs: `"thread"`, `"process"`, or a
      `concurrent.futures.Executor`; on the event loop by default. Products of a generator are made
      there as well, up to `buffer` ahead of the reader; in a process, all before the first one. A
      call in a thread that is cancelled or times out goes on, and counts for `concurrency` and
      `limiter` until it ends; if nothing else runs for 30 seconds, `UsageError` ends the run. A
      call in a process ends with its process.

    Raises `InvalidOptionError` (a ValueError) for a value out of its range, TypeError for an
    unknown option.

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
        """These options, with some of them replaced; `who` has them, for messages. What is not set
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
    stays as it is. A call with positional arguments is refused.

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
    """Refuse positional arguments, and names that aren't options."""
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
            words = (one for one, parts in _OTHER_WORDS.items() if any(p in name for p in parts))
            meant = next((f"; did you mean {option}=…?" for option in words), "")
            raise InvalidFlowError(
                f"{who}: no option {name!r}; there are {', '.join(_DEFAULTS)}{meant}"
            )


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

#: What other libraries call the options, in part.
_OTHER_WORDS: Final = {
    "concurrency": ("conc", "workers", "parallel", "in_flight"),
    "retry": ("retr", "attempt", "tries"),
    "limiter": ("limit", "rate", "per_second", "rps", "qps", "semaphore", "throttl"),
    "timeout": ("time", "deadline"),
    "on_error": ("error", "exception", "fail"),
    "executor": ("thread", "process", "pool"),
    "ordered": ("order",),
    "buffer": ("queue", "maxsize", "prefetch"),
}
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
        meant = ""
        if isinstance(value, int) and value > 0:
            meant = (
                f"; for {value} calls in flight write concurrency={value}, for {value} a second"
                f" pass a rate limiter, such as AsyncLimiter({value}, 1) of aiolimiter"
            )
        raise InvalidOptionError(
            f"limiter={shown(value)}: expected an asynchronous context manager that can be entered"
            f" any number of times, such as asyncio.Semaphore(10){meant}"
        )
    if kind.__name__ == "_AsyncGeneratorContextManager" and kind.__module__ == "contextlib":
        raise InvalidOptionError(
            f"limiter={shown(value)}: what @asynccontextmanager returns can be entered once only;"
            " pass an object whose class has __aenter__ and __aexit__"
        )


#: Those that set nothing; made once, as their values are checked, which costs a flow 9 µs a step
#: (benchmark "startup, first result").
NO_OPTIONS: Final = StepOptions()
