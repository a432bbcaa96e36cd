"""Operators of Rx and of aiostream as transformers."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from functools import reduce
from typing import Any

from aiostream import stream as streams
from reactivex import Observable

from ._errors import InvalidFlowError, short, shown
from ._merging import entered
from ._stages import FlowObservable, flowing, is_driven
from ._transformers import Transformer

__all__ = ["rx_pipe", "stream_pipe"]


class _RxPipe(Transformer[Any, Any]):
    """Rx operators as a transformer."""

    def __init__(self, operators: tuple[Callable[[Any], Any], ...]) -> None:
        self._operators = operators

    def transform(self, product: Any) -> Iterable[Any]:
        """The outputs for one product alone."""
        return self.process([product])

    def connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """The operators on an observable."""
        trail = (flowing(source).trail, self.name)
        piped = source.pipe(*self._operators)
        if not isinstance(piped, Observable):
            raise InvalidFlowError(f"the operators of {self!r} gave {shown(piped)}, no Observable")
        return [FlowObservable(piped, (), is_driven(source), trail)]

    @property
    def name(self) -> str:
        """What messages call it."""
        return "rx_pipe"

    def __repr__(self) -> str:
        return f"rx_pipe({', '.join(short(operator) for operator in self._operators)})"


class _StreamPipe(Transformer[Any, Any]):
    """aiostream operators as a transformer."""

    def __init__(self, operators: tuple[Callable[[Any], Any], ...]) -> None:
        self._operators = operators

    def transform(self, product: Any) -> Iterable[Any]:
        """The outputs for one product alone."""
        return self.process([product])

    _flow_awaits = True

    @property
    def name(self) -> str:
        """What messages call it."""
        return "stream_pipe"

    def connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """The operators on an observable."""
        upstream = flowing(source, True)

        def root(before: AsyncIterator[Any], owner: object) -> AsyncIterator[Any]:
            piped = reduce(lambda xs, pipe: pipe(xs), self._operators, streams.iterate(before))
            if not isinstance(piped, AsyncIterable):
                raise InvalidFlowError(f"the operators of {self!r} gave {shown(piped)}, no stream")
            return entered(piped)

        trail = (upstream.trail, self.name)
        return [FlowObservable(root, (), True, trail, before=upstream)]

    def __repr__(self) -> str:
        return f"stream_pipe({', '.join(short(operator) for operator in self._operators)})"


def rx_pipe(*operators: Callable[[Any], Any]) -> Transformer[Any, Any]:
    """Rx operators as a transformer, to stand in a flow.

    Demand passes through operators that hand their scheduler on, as nearly all do. Those that hold
    items of their own without bound (`delay`, `zip`, `replay`) do so here too.

    >>> from reactivex import operators as ops
    >>> rx_pipe(ops.filter(lambda x: x > 1), ops.take(2)).process([1, 2, 3, 4])
    [2, 3]
    """
    _check_operators("rx_pipe", operators)
    return _RxPipe(operators)


def stream_pipe(*operators: Callable[[Any], Any]) -> Transformer[Any, Any]:
    """aiostream operators (`aiostream.pipe`) as a transformer, to stand in a flow.

    >>> from aiostream import pipe
    >>> stream_pipe(pipe.chunks(2)).process([1, 2, 3])
    [[1, 2], [3]]
    """
    _check_operators("stream_pipe", operators)
    return _StreamPipe(operators)


def _check_operators(name: str, operators: tuple[object, ...]) -> None:
    if not operators:
        raise InvalidFlowError(f"{name}() needs at least one operator")
    for index, operator in enumerate(operators):
        if not callable(operator):
            raise InvalidFlowError(f"{name}(): argument {index} is {shown(operator)}, no operator")
