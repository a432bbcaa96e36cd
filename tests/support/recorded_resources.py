"""Resources that tell when they are opened, used and closed, and the kinds of steps that have
them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fluxus_rx import AsyncTransformer, Step, Transformer, Wrapper, step


class Record:
    """What has happened to resources, in order; each has a name."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.errors: list[BaseException | None] = []
        self.loops: set[int] = set()
        #: what is raised in opening, and in closing, those with these names
        self.fails_to_open: dict[str, BaseException] = {}
        self.fails_to_close: dict[str, BaseException] = {}
        #: those that wait, while they are opened, until they are cancelled
        self.hangs: set[str] = set()

    def open(self, name: str) -> None:
        self._note_loop()
        if name in self.fails_to_open:
            raise self.fails_to_open[name]
        self.events.append(("open", name))

    def use(self, name: str) -> None:
        assert self.is_open(name), f"{name} is used, and not open: {self.events}"
        self.events.append(("use", name))

    def close(self, name: str, error: BaseException | None) -> None:
        self._note_loop()
        assert self.is_open(name), f"{name} is closed, and not open: {self.events}"
        self.events.append(("close", name))
        self.errors.append(error)
        if name in self.fails_to_close:
            raise self.fails_to_close[name]

    def is_open(self, name: str) -> bool:
        return self.count("open", name) == self.count("close", name) + 1

    def count(self, event: str, name: str) -> int:
        return self.events.count((event, name))

    def names(self, event: str) -> list[str]:
        return [name for kind, name in self.events if kind == event]

    def _note_loop(self) -> None:
        self.loops.add(id(asyncio.get_running_loop()))

    def check_closed(self) -> None:
        """All that was opened was closed once, the last one first, with the same error, and on the
        loop that it was opened on; nothing was used afterwards."""
        opened, closed = self.names("open"), self.names("close")
        assert closed == opened[::-1], self.events
        assert len({*opened}) == len(opened), self.events
        assert "use" not in [kind for kind, _ in self.events[-len(closed) :]] or not closed
        assert len(self.loops) <= 1

    # Kinds of managers

    def plain(self, name: str) -> contextlib.AbstractContextManager[str]:
        return _Plain(self, name)

    def asynchronous(self, name: str) -> contextlib.AbstractAsyncContextManager[str]:
        return _Async(self, name)

    @contextlib.contextmanager
    def plain_function(self, name: str) -> Iterator[str]:
        with _Plain(self, name) as value:
            yield value

    @contextlib.asynccontextmanager
    async def async_function(self, name: str) -> AsyncIterator[str]:
        async with _Async(self, name) as value:
            yield value

    async def awaited(self, name: str) -> Any:
        await asyncio.sleep(0)
        return _Async(self, name)


class _Plain:
    def __init__(self, record: Record, name: str) -> None:
        self._record, self._name = record, name

    def __enter__(self) -> str:
        self._record.open(self._name)
        return self._name

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._record.close(self._name, error)


class _Async(_Plain):
    async def __aenter__(self) -> str:
        await asyncio.sleep(0)
        if self._name in self._record.hangs:
            await asyncio.Event().wait()
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await asyncio.sleep(0)
        self.__exit__(kind, error, trace)


class _Named:
    """A conduit with a name of its own."""

    def __init__(self, record: Record, tag: str) -> None:
        self.record, self.tag = record, tag
        self.value = ""

    @property
    def name(self) -> str:
        return self.tag


class _Conduit(_Named, Transformer[Any, Any]):
    """Passes on what it gets, as a dictionary."""

    def transform(self, product: Any) -> Iterator[dict[str, Any]]:
        self.record.use(self.value)
        yield {"x": product["x"]}


class _Entered(_Conduit):
    def __enter__(self) -> object:
        self.record.open(self.tag)
        self.value = self.tag
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.record.close(self.tag, error)


class _EnteredAsync(_Conduit):
    async def __aenter__(self) -> object:
        self.value = await _Async(self.record, self.tag).__aenter__()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await _Async(self.record, self.tag).__aexit__(kind, error, trace)


class _Opened(_Conduit):
    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        with self.record.plain(self.tag) as self.value:
            yield


class _OpenedAsync(_Conduit):
    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with self.record.asynchronous(self.tag) as self.value:
            yield


class _AsyncOpened(_Named, AsyncTransformer[Any, Any]):
    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with self.record.asynchronous(self.tag) as self.value:
            yield

    async def atransform(self, product: Any) -> AsyncIterator[dict[str, Any]]:
        await asyncio.sleep(0)
        self.record.use(self.value)
        yield {"x": product["x"]}


class _WholeStream(_Opened):
    """Passes on what it gets, by a method of its own for all of it."""

    def process(self, items: Any) -> Any:
        for item in items:
            yield from self.transform(item)


class _WholeStreamAsync(_AsyncOpened):
    """The same, asynchronously."""

    async def aprocess(self, items: Any) -> Any:
        async for item in items:
            self.record.use(self.value)
            yield {"x": item["x"]}


class _Twin(_OpenedAsync):
    """The same, with an asynchronous half that is another method."""

    async def atransform(self, product: Any) -> AsyncIterator[dict[str, Any]]:
        await asyncio.sleep(0)
        for item in self.transform(product):
            yield item


class _OwnStep(Step):
    """A step of a class."""

    def __init__(self, record: Record, tag: str) -> None:
        super().__init__(tag)
        self.record, self.tag = record, tag
        self.value = ""

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with self.record.asynchronous(self.tag) as self.value:
            yield

    async def call(self, x: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.record.use(self.value)
        return {"x": x}


def _wrapped(kind: Callable[[Record, str], Any]) -> Callable[[Record, str], Any]:
    return lambda record, name: Wrapper(kind(record, name))


def _using(manager: str, *, awaits: bool = False, **options: Any) -> Callable[[Record, str], Any]:
    """A step that uses what this method of a record returns."""

    def make(record: Record, name: str) -> Any:
        def call(x: Any, resource: str) -> dict[str, Any]:
            record.use(resource)
            return {"x": x}

        async def acall(x: Any, resource: str) -> dict[str, Any]:
            await asyncio.sleep(0)
            return call(x, resource)

        factory = {"resource": lambda: getattr(record, manager)(name)}
        made = step(name, acall if awaits else call, using=factory)
        return made.options(**options) if options else made

    return make


#: a step, or a conduit, that has a resource of this name
KINDS: dict[str, Callable[[Record, str], Any]] = {
    "__enter__": _Entered,
    "__aenter__": _EnteredAsync,
    "opened, plain": _Opened,
    "opened": _OpenedAsync,
    "opened, of an AsyncTransformer": _AsyncOpened,
    "opened, with a process of its own": _WholeStream,
    "opened, with an aprocess of its own": _WholeStreamAsync,
    "opened, with an asynchronous twin": _Twin,
    "opened, of a Step": _OwnStep,
    "opened, of a Step in a Wrapper": _wrapped(_OwnStep),
    "opened, with a process of its own, in a Wrapper": _wrapped(_WholeStream),
    "using a plain manager": _using("plain"),
    "using a plain manager, in threads": _using("plain", executor="thread"),
    "using @contextmanager": _using("plain_function"),
    "using @contextmanager, with retry": _using("plain_function", retry=2),
    "using @asynccontextmanager": _using("async_function"),
    "using what is awaited": _using("awaited"),
    "async, using a plain manager": _using("plain", awaits=True),
    "async, using an asynchronous manager": _using("asynchronous", awaits=True),
    "async, using what is awaited": _using("awaited", awaits=True),
}

#: those that are opened before the first product has come
OPENED_AT_ONCE = ("opened, with a process of its own", "opened, with an aprocess of its own")
