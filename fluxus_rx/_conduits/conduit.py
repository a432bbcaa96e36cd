"""What all conduits have in common: a name, a place in a graph, an expression that builds them."""

from __future__ import annotations

import contextlib
import copy
import inspect
from abc import ABC
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias
from weakref import WeakKeyDictionary

from .._common.encoding import printed
from .._common.messages import short
from .._errors import InvalidOptionError
from .._graph.mistakes import cannot_chain, cannot_group, cannot_join, is_conduit
from .._options.step_options import NO_OPTIONS, StepOptions
from .subclassing import Elsewhere, fact, prepare_class

if TYPE_CHECKING:
    from .._check.check import Finding
    from .._graph.parts import Description, Part
    from .._rx.run_settings import RunSettings
    from ..viz._output import File

__all__ = ["Conduit", "ConduitRole", "options_repr", "role_of"]

#: what a conduit is in a flow; one of none of the roles is a conduit, and stands nowhere
ConduitRole: TypeAlias = Literal[
    "producer", "transformer", "consumer", "flow", "passthrough", "conduit"
]

_NOT_KEPT: Any = object()


@printed
class Conduit(ABC):  # noqa: B024 - what is abstract is the method of each role
    """A part of a flow: a producer, a transformer, a consumer, or a chain or group of them.

    Running doesn't change a conduit: it may stand in many flows, and run many times, also at once.

    >>> from fluxus_rx import step
    >>> flow = step("src", [{"x": 1}]) >> (step("a", lambda x: {}) & step("b", lambda x: {}))
    >>> flow.n_concurrent_conduits, flow.is_chained, [end.name for end in flow.get_final_conduits()]
    (2, True, ['a', 'b'])
    """

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        prepare_class(cls)

    @fact
    def name(self) -> str:
        """What messages, results and drawings call this conduit; the class name by default."""
        return type(self).__name__

    # The engine asks for what is underscored; the public names are the subclass's own as well.

    @fact
    def is_chained(self) -> bool:
        """Whether this contains a chain of conduits."""
        return self._flow_is_chained

    @fact
    def is_concurrent(self) -> bool:
        """Whether this contains a group of parallel conduits."""
        return self._flow_is_concurrent

    @fact
    def is_atomic(self) -> bool:
        """Whether this is neither a chain nor a group."""
        return not (self._flow_is_chained or self._flow_is_concurrent)

    @fact
    def chained_conduits(self) -> Iterator[Conduit]:
        """The conduits of a chain, from the first to the last; of anything else, itself."""
        return iter(self._flow_links)

    @fact
    def final_conduit(self) -> Conduit:
        """The last conduit of a chain; of anything else, itself."""
        return self._flow_links[-1]

    def get_final_conduits(self) -> Iterator[Conduit]:
        """The atomic conduits that end the paths, branch by branch; none of a passthrough."""
        return self._flow_finals()

    @fact
    def n_concurrent_conduits(self) -> int:
        """The number of paths through this conduit."""
        return self._flow_n_paths

    def iter_concurrent_conduits(self) -> Iterator[Conduit]:
        """For each path, in the order of results, the conduit that is that path alone."""
        return self._flow_paths()

    @property
    def _flow_is_chained(self) -> bool:
        return False

    @property
    def _flow_is_concurrent(self) -> bool:
        return False

    @property
    def _flow_n_paths(self) -> int:
        return 1

    @property
    def _flow_links(self) -> tuple[Conduit, ...]:
        return (self,)

    def _flow_finals(self) -> Iterator[Conduit]:
        yield self

    def _flow_paths(self) -> Iterator[Conduit]:
        yield self

    def get_connections(
        self, *, ingoing: Collection[Conduit] = ()
    ) -> Iterator[tuple[Conduit, Conduit]]:
        """The edges of the graph, as pairs of atomic conduits; `ingoing` are those that feed it.
        Raises ValueError if these would feed a producer."""
        from .._graph.parts import part_of
        from .._graph.wiring import connections

        yield from connections(part_of(self), ingoing)

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The arguments that make this conduit, where they differ from the defaults."""
        return _init_arguments(self)

    def _flow_arguments(self) -> Mapping[str, Any]:
        """What `get_repr_attributes` of its class returns, if that is one of ours by its kind."""
        method = getattr(type(self), "get_repr_attributes", None)
        found = method(self) if callable(method) else None
        return found if isinstance(found, Mapping) else _init_arguments(self)

    def _flow_copy(self) -> Self:
        """A copy, which has what a class with slots, or with ideas of its own, would lose."""
        made = copy.copy(self)
        for name, value in vars(self).items():
            if name.startswith("_flow_"):
                object.__setattr__(made, name, value)
        return made

    @property
    def _flow_original(self) -> Self:
        """What this is a passing copy of, with which it shares its limit and what a run opens."""
        original: Self = vars(self).get("_flow_copied", self)
        return original

    def describe(self) -> Part:
        """This conduit as data, which drawings, checks and connections read.

        An atomic conduit returns a `Description`, a chain a `Series`, a group a `Parallel` of those
        of its conduits, a passthrough a `Through` (`fluxus_rx.graph`). The description of a class
        follows from its methods, its name and its options; a class overrides `describe` to say
        more. It has the values themselves, also secrets; only its `repr` masks those.

        >>> from fluxus_rx import step
        >>> description = step("add", lambda x, by: {"y": x + by}, by=3).describe()
        >>> description.role, description.name, description.arguments
        ('transformer', 'add', {'by': 3})
        """
        return self._flow_description()

    def _flow_description(self, **facts: Any) -> Description:
        """What every atomic conduit says of itself, and these facts."""
        # Here, as they take 4 ms of the import of the library (benchmark "startup, import").
        from .._graph.parts import Description

        said: dict[str, Any] = {
            "role": "transformer",
            "name": self.name,
            "kind": type(self).__name__,
            "awaits": self._flow_awaits,
            "source": self,
        }
        if "arguments" not in facts:
            said["arguments"] = self._flow_arguments()
        return Description(**said | facts)

    @property
    def _flow_exits(self) -> list[Conduit]:
        """Those of its final conduits whose products are to fit into what comes behind it: one for
        each type."""
        return [self]

    @property
    def _flow_entries(self) -> list[Conduit]:
        """Those of its first conduits that show products to users, one for each type."""
        # A step takes any mapping, and a passthrough beside it passes it on as a product.
        return [self] if getattr(self, "_flow_shows_items", True) else []

    @property
    def _flow_passes(self) -> bool:
        """Whether a product can come through it as it is."""
        return False

    def _flow_firsts(self) -> Iterator[Conduit]:
        yield self

    _flow_role: ConduitRole = "conduit"
    #: the name that `path` has set for it
    _flow_branch = ""
    #: whether what it calls is asynchronous
    _flow_awaits = False
    #: what makes the resources that its calls are given, by name
    _flow_using: Mapping[str, Callable[[], Any]] = {}
    #: the name of the class of the library that calls `call`, and neither half
    _flow_caller: str | None = None
    #: whether it is what a run has opened
    _flow_is_open = False

    @property
    def _flow_is_async(self) -> bool:
        return False

    @property
    def _flow_is_opened(self) -> bool:
        """Whether each run opens it before its first call: its class has a method `opened`, or
        makes it a context manager."""
        kind: Any = type(self)
        return (
            callable(getattr(kind, "opened", None))
            or (hasattr(kind, "__aenter__") and hasattr(kind, "__aexit__"))
            or (hasattr(kind, "__enter__") and hasattr(kind, "__exit__"))
        )

    @property
    def _flow_needs(self) -> tuple[str, ...]:
        """The attributes without which it can't be called, as far as that is known."""
        return ()

    def _flow_defaulted(self, defaults: StepOptions, known: dict[int, Conduit]) -> Self:
        """A copy with these options where it has none of its own; `known` are the copies so far, by
        the identity of what they are of, so that a step that stands twice has one limit."""
        return self

    def _flow_check_options(self, defaults: StepOptions) -> None:  # noqa: B027 - most have none
        """Refuse options that can't work, with these for what has none of its own."""

    def _flow_keeps_failures(self, defaults: StepOptions) -> bool:
        """Whether a call in it may fail without ending the run, with these options for what has
        none of its own."""
        # What a conduit does with others that it holds, nobody else knows.
        return any(map(_holds_conduit, vars(self).values()))

    def _flow_check_settings(self, settings: RunSettings) -> None:
        """Refuse settings of a run that can't work."""
        self._flow_check_options(settings.options)
        most = settings.failures.most if settings.failures is not None else None
        if most and not self._flow_keeps_failures(settings.options):
            raise InvalidOptionError(
                f"max_failures={most} has no effect: no step has on_error, so the first failure"
                " ends the run; set it on the steps, or for the run:"
                " options=StepOptions(on_error='collect')"
            )

    @property
    def _flow_why_source(self) -> str:
        """Why it is a producer, for messages."""
        return "(it takes no input)"

    @property
    def _flow_stage_name(self) -> str:
        """What statistics call it: as drawings do, or if those draw several, by its own name."""
        # What this library says of a conduit has its name; and to say it, arguments are compared
        # with defaults, which takes a second where they are large arrays.
        if type(self).describe.__module__.startswith(f"{__name__.partition('.')[0]}."):
            return self.name
        from .._graph.parts import Description, part_of

        part = part_of(self)
        return part.name if isinstance(part, Description) else self.name

    @property
    def _flow_label(self) -> str:
        """This conduit in a message."""
        return repr(self)

    def __repr__(self) -> str:
        shown = {name: short(value, name) for name, value in self._flow_arguments().items()}
        labels = _keyword_list(
            {k.removeprefix("#"): v for k, v in shown.items() if k.startswith("#")}
        )
        arguments = _keyword_list({k: v for k, v in shown.items() if not k.startswith("#")})
        label = f".label({labels})" if labels else ""
        return f"{type(self).__name__}({arguments}){label}{options_repr(self)}"

    def __str__(self) -> str:
        return repr(self)

    def draw(
        self,
        style: str | None = None,
        *,
        file: File | None = None,
        format: str | None = None,
        paths: bool = False,
    ) -> None:
        """Draw this conduit and all in it; `fluxus_rx.viz.draw` has the styles and files.

        >>> from fluxus_rx import step
        >>> step("double", lambda x: {"x": 2 * x}).draw()
        ● start
        ○ double
        ◉ end
        """
        from .. import viz

        viz.draw(self, style, file=file, format=format, paths=paths)

    def check(self, *, options: StepOptions | None = None) -> list[Finding]:
        """Find mistakes in this conduit before it runs; `fluxus_rx.check` has the details.

        >>> from fluxus_rx import step
        >>> step("fetch", lambda x: {"y": x}).options(window=3, concurrency=9).check()
        warning: fetch: window=3 has no effect without ordered; set ordered=True, or leave window
        out
        """
        # Here, as it takes 3 ms of the import of the library (benchmark "startup, import").
        from .._check.check import check

        return check(self, options=options)

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, str]:
        """What IPython shows: the expression, and a picture where there are the tools for it."""
        from ..viz._draw import bundle_of

        return bundle_of(self, include, exclude)

    if not TYPE_CHECKING:  # a type checker refuses what a role doesn't define; so do these
        run, arun, start, stream, astream = (Elsewhere() for _ in range(5))

        def __dir__(self):
            kind = type(self)
            return [name for name in super().__dir__() if not _is_elsewhere(kind, name)]

        def _flow_after(self, first):
            """`first >> self`; each role knows what may stand before it."""
            raise cannot_chain(first, self)

        def __rshift__(self, other):
            raise cannot_chain(self, other)

        def __rrshift__(self, other):
            raise cannot_chain(other, self)

        def __and__(self, other):
            raise cannot_group(self, other)

        def __rand__(self, other):
            raise cannot_group(other, self)

        def __or__(self, other):
            raise cannot_join("|", self, other)

        def __ror__(self, other):
            raise cannot_join("|", other, self)

        def __add__(self, other):
            raise cannot_join("+", self, other)

        def __radd__(self, other):
            raise cannot_join("+", other, self)

        def __lshift__(self, other):
            raise cannot_join("<<", self, other)


def role_of(thing: object) -> ConduitRole | None:
    """The role of a conduit; None of anything else. Other folders ask this, and no class.

    >>> role_of(5) is None
    True
    """
    return thing._flow_role if isinstance(thing, Conduit) else None


def _is_elsewhere(kind: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(kind, name, None), Elsewhere)


def _holds_conduit(value: object) -> bool:
    if isinstance(value, dict):
        value = [*value.values()]
    return any(map(is_conduit, value)) if isinstance(value, list | tuple) else is_conduit(value)


def _keyword_list(arguments: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def _init_arguments(conduit: Conduit) -> dict[str, Any]:
    """The arguments of `__init__` that are kept under their name, or under `_name`."""
    found: dict[str, Any] = {}
    for parameter in _init_parameters(type(conduit)):
        value = _kept(conduit, parameter.name, f"_{parameter.name}")
        if value is not _NOT_KEPT and not _same(value, parameter.default):
            found[parameter.name] = value
    return found


def _kept(conduit: Conduit, *names: str) -> Any:
    """What a conduit keeps under the first of these names that it has, be it in a slot."""
    kept, kind = vars(conduit), type(conduit)
    for name in names:
        if name in kept:
            return kept[name]
        slot = inspect.getattr_static(kind, name, None)
        if inspect.ismemberdescriptor(slot):
            return getattr(conduit, name, _NOT_KEPT)
    return _NOT_KEPT


#: Reading a signature takes ten times as long as all else that a conduit says of itself.
_PARAMETERS: WeakKeyDictionary[type, tuple[inspect.Parameter, ...]] = WeakKeyDictionary()


def _init_parameters(kind: type) -> tuple[inspect.Parameter, ...]:
    if kind not in _PARAMETERS:
        found: list[inspect.Parameter] = []
        with contextlib.suppress(TypeError, ValueError):  # a class without a signature
            found += inspect.signature(kind).parameters.values()
        several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        _PARAMETERS[kind] = tuple(one for one in found if one.kind not in several)
    return _PARAMETERS[kind]


def _same(value: object, default: object) -> bool:
    if default is inspect.Parameter.empty:
        return False  # and nothing is compared, which may take long
    try:
        return value is default or bool(value == default)
    except Exception:  # an array has no truth value; then it is shown
        return False


def options_repr(conduit: Conduit) -> str:
    """The options of a conduit as they are written; empty if none are set."""
    own: StepOptions = getattr(conduit, "_flow_options", NO_OPTIONS)
    texts = ", ".join(own.over(getattr(conduit, "_flow_defaults", NO_OPTIONS)).texts())
    return f".options({texts})" if texts else ""
