"""Failures as lines of JSON, and back."""

from __future__ import annotations

import copy
import datetime as dt
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    DictProduct,
    Failure,
    Failures,
    InvalidFlowError,
    InvalidOptionError,
    InvalidProductError,
    RecordedError,
    passthrough,
    rerun,
    run,
    rx_pipe,
    step,
)
from tests.support.errors import notes, refused, untyped
from tests.support.scripted_calls import numbers

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def always(**attributes: Any) -> dict[str, Any]:
    raise ValueError("no")


def failing(values: list[Any], function: Any = always) -> Failures:
    source = step("src", [{"x": value} for value in values])
    return run(source >> step("s", function).options(on_error="collect")).failures


def there_and_back(failures: Failures, **hooks: Any) -> Failures:
    file = io.BytesIO()
    failures.to_json(file, default=hooks.get("default"))
    file.seek(0)
    return Failures.from_json(file, object_hook=hooks.get("object_hook"))


class TestLaw:
    @given(st.lists(VALUES, min_size=1, max_size=4))
    def test_a_value_is_the_same_afterwards(self, values: list[Any]) -> None:
        """In its type, too."""
        again = [failure.product["x"] for failure in there_and_back(failing(values))]
        assert repr(again) == repr(values)

    @pytest.mark.parametrize("timestamps", [False, True])
    @pytest.mark.parametrize("start", [None, "many", "last"])
    def test_a_rerun_gives_what_that_of_the_original_gives(
        self, timestamps: bool, start: str | None
    ) -> None:
        """Behind branches, expansions, operators, and steps of one name; so does a second one."""
        down = True

        def last(x: int, z: int = 0) -> dict[str, int]:
            if (down and x % 2) or x == 7:
                raise OSError(x)
            return {"x": x + 1, "seen": z}

        made = step("last", last).options(on_error="collect")
        many = step("many", lambda x: [{"x": 3 * x + i, "z": i} for i in range(3)])
        flow = numbers(3) >> many >> (made & passthrough()) >> made >> step("end", lambda x: {})
        result = run(flow, timestamps=timestamps)
        read = there_and_back(result.failures)
        assert [str(one.path) for one in read] == [one.path for one in result.failures]
        down = False

        def merged(failures: Failures) -> Any:
            whole = result.merged(rerun(flow, failures, start=start))
            places = [(one.path, one.lineage) for one in whole.failures]
            return [*map(untimed, whole)], [(path, *untimed([nested])) for path, nested in places]

        assert len(read) > 4
        assert merged(read) == merged(result.failures)
        assert merged(there_and_back(read)) == merged(read)
        assert [one.lineage for one in read] == [one.lineage for one in result.failures]

    def test_what_operators_made_anew_goes_on_where_it_stood(self) -> None:
        """With its place among the others."""
        from reactivex import operators as ops

        down = True

        def last(total: int) -> dict[str, int]:
            if down:
                raise OSError
            return {"y": total}

        sums = rx_pipe(
            ops.buffer_with_count(2),
            ops.map(lambda pair: {"total": sum(one["x"] for one in pair)}),
            name="sums",
        )
        flow = numbers(6) >> sums >> step("last", last).options(on_error="collect")
        result = run(flow)
        down = False
        read = there_and_back(result.failures)
        expected = result.merged(rerun(flow, result.failures))
        assert result.merged(rerun(flow, read)) == expected
        assert len(expected[0]) == 3

    def test_labels_are_kept(self) -> None:
        """They aren't attributes, and part of the lineage."""
        product = DictProduct("add", {"y": 2}, DictProduct("src", {"x": 1}).label(kind="test"))
        failures = Failures([Failure("s", "src → add → s", product, ValueError("no"), 1)])
        read = there_and_back(failures)[0].lineage
        assert read == {"src": {"x": 1, "kind": "test"}, "add": {"y": 2}}


def untimed(outputs: Any) -> list[Any]:
    return [
        {step: {k: v for k, v in one.items() if k[0] != "["} for step, one in output.items()}
        for output in outputs
    ]


class TestLines:
    def test_a_traceback_is_kept_at_both_of_its_ends(self) -> None:
        """Of a cause that each call raises again it doesn't grow with the calls."""
        inner = KeyError("x")

        def fail(x: int) -> dict[str, int]:
            try:
                raise inner
            except KeyError as error:
                raise ValueError("no") from error

        def deep(x: int) -> dict[str, int]:
            return deep(x + 1) if x < 200 else fail(x)

        for failures in (failing([*range(200)], fail), failing([0], deep)):
            error = failures[0]._flow_plain_record()
            for text in (error["traceback"], error["cause"]["traceback"]):
                assert "in fail\n" in text
                assert text.count("  File") <= 50
        assert "  … " in error["traceback"]

    def test_a_line_has_all_that_one_wants_to_know(self) -> None:
        """For people, and for other tools."""

        def fail(x: int) -> dict[str, int]:
            raise ValueError("no") from KeyError("x")

        file = io.StringIO()
        failing([1], fail).to_json(file)
        told = json.loads(file.getvalue())
        error = told["error"]
        assert "in fail\n" in error.pop("traceback")
        note = "in step 's', item 0 of path src → s, called with x=1"
        assert error == {
            "class": "ValueError",
            "text": "no",
            "notes": [note],
            "cause": {"class": "KeyError", "text": "'x'", "notes": [], "traceback": ""},
        }
        assert {key: told[key] for key in ("schema", "step", "path", "attempts", "note")} == {
            "schema": 1, "step": "s", "path": "src → s", "attempts": 1, "note": note,
        }  # fmt: skip
        assert told["position"] == [0]
        assert told["product"] == [
            {"steps": [{"step": "src", "attributes": {"x": 1}}], "position": 0}
        ]

    def test_an_exception_is_a_record_of_itself(self) -> None:
        """With its notes, its cause and its traceback."""

        def fail(x: int) -> dict[str, int]:
            raise ValueError("no") from KeyError("x")

        failures = failing([1], fail)
        error = there_and_back(there_and_back(failures))[0].exception
        assert isinstance(error, RecordedError)
        assert (error.class_name, error.text) == ("ValueError", "no")
        assert notes(error) == notes(failures[0].exception)
        assert repr(error.__cause__) == """RecordedError('KeyError', "'x'")"""
        assert "in fail" in error.traceback

    @pytest.mark.parametrize("kind", ["path", "text", "bytes", "gzip", "cp1252", "append"])
    def test_it_goes_to_whatever_can_be_written(self, kind: str, tmp_path: Path) -> None:
        """And comes from there; a path is overwritten."""
        path = tmp_path / "failures.jsonl"
        failures = failing(["ä → \ud800 \u2028", "b"])
        if kind == "path":
            path.write_text("old\n" * 99)
            failures.to_json(path)
            failures.to_json(str(path))
            assert len(Failures.from_json(str(path))) == 2
        elif kind == "append":
            for half in (failures[:1], failures[1:]):
                with path.open("a", encoding="utf-8") as file:
                    half.to_json(file)
        elif kind == "gzip":
            with gzip.open(path, "wb") as zipped:
                failures.to_json(zipped)  # type: ignore[arg-type]  # a stream that is no IO
            path.write_bytes(gzip.decompress(path.read_bytes()))
        else:
            encoding = "cp1252" if kind == "cp1252" else "utf-8"
            with path.open("wb") if kind == "bytes" else path.open("w", encoding=encoding) as file:
                failures.to_json(file)
        assert path.read_bytes().count(b"\n") == 2
        read = Failures.from_json(path)
        assert [one.product["x"] for one in read] == ["ä → \ud800 \u2028", "b"]
        with path.open(encoding="utf-8") as file:
            assert len(Failures.from_json(file)) == 2

    def test_each_line_is_written_by_one_call(self) -> None:
        """And passed on at once: a program that is killed in between leaves whole lines."""
        calls: list[str] = []

        class Stream(io.StringIO):
            def write(self, text: str) -> int:
                calls.append(text)
                return len(text)

            def flush(self) -> None:
                calls.append("flush")

        failing([1, 2]).to_json(Stream())
        assert [one[-1:] for one in calls if one] == ["\n", "h", "\n", "h"]

    def test_none_are_an_empty_file(self, tmp_path: Path) -> None:
        """And an empty file has none; blank lines don't count."""
        Failures().to_json(tmp_path / "none")
        assert (tmp_path / "none").read_bytes() == b""
        assert [*Failures.from_json(io.StringIO("\n\n"))] == []


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [(1,), {1}, b"x", {1: 2}, dt.date(2020, 1, 1), object(), 1 << 20_000, Path()],
        ids=lambda value: type(value).__name__,
    )
    @pytest.mark.parametrize("wrapped", [lambda x: x, lambda x: [{"k": x}]], ids=["bare", "inside"])
    def test_what_json_has_not_is_named(self, value: Any, wrapped: Callable[[Any], Any]) -> None:
        """With the step, the attribute and the way out; nothing is written then."""
        file = io.StringIO()
        with refused(InvalidProductError, "'s' was given", "'x' of step 'src'", "default="):
            failing([1, wrapped(value)]).to_json(file)
        assert file.getvalue() == ""
        failing([wrapped(value)]).to_json(file, default=short_text)
        assert file.getvalue().count("\n") == 1

    def test_functions_take_a_value_there_and_back(self) -> None:
        """As those of the module json do."""

        def default(value: Any) -> Any:
            return {"date": value.isoformat()} if isinstance(value, dt.date) else [*value]

        def hook(value: dict[str, Any]) -> Any:
            return dt.date.fromisoformat(value["date"]) if "date" in value else value

        values = [dt.date(2020, 1, 1), [{"at": dt.date(2021, 1, 1)}], {"date": "2022-01-01"}]
        read = there_and_back(failing(values), default=default, object_hook=hook)
        assert [one.product["x"] for one in read] == [*values[:2], dt.date(2022, 1, 1)]

    @pytest.mark.parametrize("default", [lambda value: value, lambda value: (value,)])
    def test_a_function_that_gives_no_json_is_told_of(self, default: Any) -> None:
        """Also one that never comes to an end."""
        with refused(InvalidProductError, "'x' of step 'src'", "default= returned"):
            failing([b"x"]).to_json(io.StringIO(), default=default)

    def test_what_an_own_transformer_was_given_is_an_item(self) -> None:
        """It has no lineage."""
        read = there_and_back(Failures([Failure("s", "s", [5], ValueError("no"), 1)]))
        assert read[0].product == [5]


class TestReading:
    @pytest.mark.parametrize(
        "line",
        ["{", "5", "[]", "{}", '{"schema": 1}', '{"schema": 2}', '{"schema": 1, "item": 1}', "{]"],
    )
    def test_a_line_that_is_no_failure_is_named(self, line: str) -> None:
        """By its number."""
        file = io.StringIO()
        failing([1]).to_json(file)
        with refused(InvalidOptionError, "line 2 isn't a failure"):
            Failures.from_json(io.StringIO(file.getvalue() + line))

    def test_a_newer_version_is_told_of(self) -> None:
        """And what this one reads."""
        with refused(InvalidOptionError, "it has schema 2, and this version reads 1"):
            Failures.from_json(io.StringIO('{"schema": 2}'))

    def test_a_file_that_is_none_is_refused(self) -> None:
        """To read and to write."""
        with refused(InvalidFlowError, "file=5"):
            Failures().to_json(untyped(5))
        with refused(InvalidFlowError, "file=5"):
            Failures.from_json(untyped(5))

    def test_what_was_read_can_be_copied_and_filtered(self) -> None:
        """As failures of a run can."""
        read = there_and_back(failing([1, 2]))
        assert len(Failures(one for one in copy.deepcopy(read) if one.product["x"] == 2)) == 1


def short_text(value: object) -> str:
    return "some value"


def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path) -> None:
    """Of a path, a stream of bytes, and one of text."""
    path = tmp_path / "failures.jsonl"
    failing([1]).to_json(path)
    path.write_text(path.read_text("utf-8"), "utf-8-sig")
    with path.open(encoding="utf-8") as text, path.open("rb") as data:
        for file in (path, data, text):
            assert [failure.step for failure in Failures.from_json(file)] == ["s"]
