"""The classes of `fluxus.core`: what a conduit is asked for, and annotated with.

In fluxus, they are what conduits derive from. Here, a conduit answers for itself: its role, and
whether there is a chain or a group in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_
from typing import Any, Final, Generic, NamedTuple, TypeVar

from .._common.messages import shown
from .._conduits.conduit import Conduit as CoreConduit
from .._conduits.conduit import role_of
from .._errors import InvalidFlowError, UsageError

__all__ = [
    "AtomicConduit",
    "BaseProducer",
    "BaseTransformer",
    "ConcurrentConduit",
    "ConcurrentProducer",
    "ConcurrentTransformer",
    "Conduit",
    "Processor",
    "SerialConduit",
    "SerialProcessor",
    "SerialProducer",
    "SerialSource",
    "SerialTransformer",
    "SimpleConcurrentProducer",
    "SimpleConcurrentTransformer",
    "Source",
]

_A = TypeVar("_A")
_B = TypeVar("_B")


class Facts(NamedTuple):
    """What a conduit is, or what all conduits of a class are."""

    role: str
    is_chained: bool
    is_concurrent: bool
    #: whether it is nothing but branches side by side
    is_group: bool

    @classmethod
    def of(cls, conduit: CoreConduit) -> Facts:
        """Those of a conduit."""
        return cls(
            role=conduit._flow_role,
            is_chained=conduit.is_chained,
            is_concurrent=conduit.is_concurrent,
            is_group=conduit.is_concurrent and not hasattr(conduit, "_flow_ends"),
        )

    @classmethod
    def of_class(cls, kind: type) -> Facts | None:
        """Those of a class of conduits, which users write: atomic ones, or flows."""
        role = getattr(kind, "_flow_role", None)
        if role is None:
            return None
        is_flow = role == "flow"
        return cls(role=role, is_chained=is_flow, is_concurrent=is_flow, is_group=False)


class RoleType(type):
    """The class of roles: an instance of a role is whatever fits it."""

    _fits: Callable[[Facts], bool]

    def __new__(mcs, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> RoleType:
        """A role; what derives from one in a program is refused."""
        if any(isinstance(base, RoleType) for base in bases):
            role = next(base for base in bases if isinstance(base, RoleType)).__name__
            raise UsageError(
                f"class {name}({role}): {role} is for annotations and isinstance; derive from"
                " Producer, Transformer, Consumer, or their asynchronous halves"
            )
        return super().__new__(mcs, name, bases, members)

    def __instancecheck__(cls, thing: object) -> bool:
        """Whether it is a conduit that fits the role."""
        return role_of(thing) is not None and cls._fits(Facts.of(thing))  # type: ignore[arg-type]

    def __subclasscheck__(cls, kind: type) -> bool:
        """Whether conduits of a class fit the role."""
        if kind is cls:
            return True
        facts = Facts.of_class(kind)
        return facts is not None and cls._fits(facts)


_SOURCES: Final = ("producer", "transformer")
_PROCESSORS: Final = ("transformer", "consumer")


class Conduit(Generic[_A], metaclass=RoleType):
    """Any conduit.

    >>> from fluxus_rx.compat.functional import step
    >>> isinstance(step("src", {"x": 1}), Conduit), isinstance(5, Conduit)
    (True, False)
    >>> Conduit[int]
    fluxus_rx.compat.core.Conduit[int]
    """

    _fits = staticmethod(lambda facts: True)


class SerialConduit(Generic[_A], metaclass=RoleType):
    """A conduit without a group in it."""

    _fits = staticmethod(lambda facts: not facts.is_concurrent)


class AtomicConduit(Generic[_A], metaclass=RoleType):
    """A conduit that is neither chain nor group."""

    _fits = staticmethod(
        lambda facts: (
            facts.role in (*_SOURCES, "consumer") and not (facts.is_chained or facts.is_concurrent)
        )
    )


class ConcurrentConduit(Generic[_A], metaclass=RoleType):
    """A producer or transformer with a group in it."""

    _fits = staticmethod(lambda facts: facts.role in _SOURCES and facts.is_concurrent)


class Source(Generic[_A], metaclass=RoleType):
    """A source of products: a producer or transformer."""

    _fits = staticmethod(lambda facts: facts.role in _SOURCES)


class Processor(Generic[_A, _B], metaclass=RoleType):
    """What takes products: a transformer or consumer."""

    _fits = staticmethod(lambda facts: facts.role in _PROCESSORS)


class SerialSource(Generic[_A], metaclass=RoleType):
    """A source of products, without a group in it."""

    _fits = staticmethod(lambda facts: facts.role in _SOURCES and not facts.is_concurrent)


class SerialProcessor(Generic[_A, _B], metaclass=RoleType):
    """What takes products, without a group in it."""

    _fits = staticmethod(lambda facts: facts.role in _PROCESSORS and not facts.is_concurrent)


class BaseProducer(Generic[_A], metaclass=RoleType):
    """Any producer."""

    _fits = staticmethod(lambda facts: facts.role == "producer")


class SerialProducer(Generic[_A], metaclass=RoleType):
    """A producer without a group in it."""

    _fits = staticmethod(lambda facts: facts.role == "producer" and not facts.is_concurrent)


class ConcurrentProducer(Generic[_A], metaclass=RoleType):
    """A producer with a group in it."""

    _fits = staticmethod(lambda facts: facts.role == "producer" and facts.is_concurrent)


class SimpleConcurrentProducer(Generic[_A], metaclass=RoleType):
    """Producers side by side; made of these, it is their group.

    >>> from fluxus_rx.compat.simple import SimpleProducer
    >>> list(SimpleConcurrentProducer(SimpleProducer([1, 2]), SimpleProducer([3])))
    [1, 2, 3]
    """

    _fits = staticmethod(lambda facts: facts.role == "producer" and facts.is_group)

    def __new__(cls, *producers: Any) -> Any:
        """The group of these producers; raises TypeError for anything else."""
        return _group_of("SimpleConcurrentProducer", producers, BaseProducer)


class BaseTransformer(Generic[_A, _B], metaclass=RoleType):
    """Any transformer."""

    _fits = staticmethod(lambda facts: facts.role == "transformer")


class SerialTransformer(Generic[_A, _B], metaclass=RoleType):
    """A transformer without a group in it."""

    _fits = staticmethod(lambda facts: facts.role == "transformer" and not facts.is_concurrent)


class ConcurrentTransformer(Generic[_A, _B], metaclass=RoleType):
    """A transformer with a group in it."""

    _fits = staticmethod(lambda facts: facts.role == "transformer" and facts.is_concurrent)


class SimpleConcurrentTransformer(Generic[_A, _B], metaclass=RoleType):
    """Transformers side by side; made of these, it is their group."""

    _fits = staticmethod(lambda facts: facts.role == "transformer" and facts.is_group)

    def __new__(cls, *transformers: Any) -> Any:
        """The group of these transformers and passthroughs; raises TypeError for anything else."""
        return _group_of("SimpleConcurrentTransformer", transformers, BaseTransformer)


def _group_of(who: str, members: tuple[Any, ...], role: type) -> Any:
    for one in members:
        if not (
            isinstance(one, role) or (role is BaseTransformer and role_of(one) == "passthrough")
        ):
            raise InvalidFlowError(f"{who}() takes {role.__name__} conduits, not {shown(one)}")
    if not members:
        raise InvalidFlowError(f"{who}() needs at least one conduit")
    return reduce(and_, members)


# Users see, and pickle, what they import, not where it is written.
for _role in [globals()[name] for name in __all__]:
    _kind = next(
        (kind for kind in ("Producer", "Transformer") if _role.__name__.endswith(kind)), ""
    )
    _role.__module__ = f"fluxus_rx.compat.core{'.' if _kind else ''}{_kind.lower()}"
