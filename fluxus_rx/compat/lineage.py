"""fluxus's `fluxus.lineage`: products that know where they came from."""

from __future__ import annotations

from .._components.labeling import LabelingProducer as CoreLabelingProducer
from .._components.labeling import LabelingTransformer as CoreLabelingTransformer
from .._products.lineage import HasLineage, LineageOrigin
from .._typing import A_contra, B_co, P_co
from ._conduits import Producer, Transformer

__all__ = ["HasLineage", "LabelingProducer", "LabelingTransformer", "LineageOrigin"]


class LabelingProducer(Producer[P_co], CoreLabelingProducer[P_co]):
    """A producer that can label its products, which have a lineage.

    >>> class City(LineageOrigin):
    ...     product_name = "city"
    >>> class Cities(LabelingProducer[City]):
    ...     def produce(self):
    ...         yield City()
    >>> [city.product_labels for city in Cities().label(country="Italy")]
    [{'country': 'Italy'}]
    """


class LabelingTransformer(  # pyright: ignore[reportIncompatibleMethodOverride]  # fluxus's parameter
    Transformer[A_contra, B_co], CoreLabelingTransformer[A_contra, B_co]
):
    """A transformer that can label its products, which have a lineage."""
