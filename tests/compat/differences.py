"""The deliberate differences to fluxus: for each row of the table in docs/coming_from/fluxus.rst,
the programs that show it."""

from __future__ import annotations

DIFFERENCES: dict[str, list[str]] = {
    "The order of a result": ["steps: calls that take their time"],
    "The order of paths in ``arun``": ["classes: the order of branches with arun"],
    "A source that fails before branches": [
        "classes: a source that fails before branches, with arun",
    ],
    "A run, or a path, without outputs": [
        "steps: no mappings",
        "steps: run with no inputs",
        "steps: the last branch gives nothing",
    ],
    "A generator that is run again": ["steps: a generator that is run again"],
    "A step that adds nothing": ["steps: a step that adds nothing, and occurs again"],
    "Objects that are called": [
        "steps: a partial without parameters",
        "steps: an object that is called",
        "steps: a partial",
    ],
    "Annotations that name nothing": ["steps: an annotation that is not there"],
    "Fixed arguments that go nowhere": [
        "steps: fixed arguments of a function without parameters",
    ],
    "``chain`` of a list": ["steps: chain of a list"],
    "Several passthroughs": ["classes: two passthroughs in groups"],
    "A transformer before a consumer": ["classes: a step before a consumer"],
    "Chains in brackets": ["classes: a chain in brackets"],
    "The classes of ``fluxus.core``": ["structure: a class of a role"],
    "The text of a flow": ["structure: the text of a step"],
    "A tuple of one value in the text of a result": ["results: the text of a tuple of one"],
    "The look of a graph": ["structure: the look of a graph"],
    "Timelines of outputs without times": [
        "structure: a timeline with pyplot where an output has no times",
    ],
    "Whole numbers in frames": ["results: a frame of whole floats"],
    "Dictionaries beside values in frames": [
        "results: a frame of dictionaries beside values",
    ],
}
