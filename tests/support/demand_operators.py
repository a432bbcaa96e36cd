"""Every operator of `reactivex.operators`: how it is measured, and how far a source runs ahead."""

from __future__ import annotations

__all__ = ["BOUNDED", "BY_TIME", "DRAINED", "REFUSED", "RESULTS", "UNBOUNDED"]

#: An operator as it is written between source and step, and why it lets the source run so far.
#:
#: An operator that stands in several ways has a number behind its name.
Written = tuple[str, str]

#: The source stops at the same number of items, however many it has.
BOUNDED: dict[str, Written] = {
    "amb": ("amb(other)", "passes the first source to emit; drops the other"),
    "as_observable": ("as_observable()", "one for one"),
    "buffer_with_count": ("buffer_with_count(5)", "the step counts lists, of 5 items each"),
    "buffer_with_time_or_count": (
        "buffer_with_time_or_count(1, 5)",
        "the step counts lists, of 5 items at most",
    ),
    "catch": ("concat(rx.throw(LookupError())), catch(other)", "one for one; then the other"),
    "concat": ("concat(other)", "one after the other"),
    "concat_all": ("map(rx.of), concat_all()", "one inner observable at a time"),
    "concat_map": ("concat_map(rx.of)", "one inner observable at a time"),
    "default_if_empty": ("default_if_empty(0)", "one for one"),
    "delay_subscription": ("delay_subscription(1)", "one for one, once it has begun"),
    "dematerialize": ("materialize(), dematerialize()", "one for one"),
    "distinct": ("distinct()", "drops at once; every key stays in memory"),
    "distinct_until_changed": ("distinct_until_changed()", "drops at once"),
    "do": ("do(Subject())", "one for one"),
    "do_action": ("do_action(same)", "one for one"),
    "do_while": ("do_while(no)", "one run of the source after the other"),
    "element_at": ("element_at(9)", "ends the source at the item"),
    "element_at_or_default": ("element_at_or_default(9)", "ends the source at the item"),
    "exclusive": ("map(rx.of), exclusive()", "one inner observable at a time; drops others"),
    "expand": ("expand(none)", "one for one, and what is made of them"),
    "filter": ("filter(even)", "drops at once; two items for one that passes"),
    "filter_indexed": ("filter_indexed(even)", "drops at once; two items for one that passes"),
    "finally_action": ("finally_action(nothing)", "one for one"),
    "first": ("first()", "ends the source at the item"),
    "first_or_default": ("first_or_default()", "ends the source at the item"),
    "flat_map": ("flat_map(rx.of)", "inner observables pass items on at once"),
    "flat_map_indexed": ("flat_map_indexed(one)", "inner observables pass items on at once"),
    "flat_map_latest": ("flat_map_latest(rx.of)", "inner observables pass items on at once"),
    "group_by": ("group_by(third), flat_map(same)", "groups pass items on at once"),
    "group_by_until": (
        "group_by_until(third, same, after(1)), flat_map(same)",
        "groups pass items on at once",
    ),
    "is_empty": ("is_empty()", "ends the source at the first item"),
    "map": ("map(same)", "one for one"),
    "map_indexed": ("map_indexed(same)", "one for one"),
    "materialize": ("materialize()", "one for one"),
    "merge": ("merge(other)", "the sources share the room"),
    "merge_all": ("map(rx.of), merge_all()", "inner observables pass items on at once"),
    "multicast": ("multicast(Subject()), ref_count()", "one for one"),
    "observe_on": (
        "observe_on(AsyncIOScheduler())",
        "delays each item by a turn of the loop",
    ),
    "on_error_resume_next": ("on_error_resume_next(other)", "one after the other"),
    "pairwise": ("pairwise()", "one for one, after the first"),
    "partition": ("partition(even), merged", "one for one"),
    "partition_indexed": ("partition_indexed(even), merged", "one for one"),
    "pluck": ("map(lambda x: {'x': x}), pluck('x')", "one for one"),
    "pluck_attr": ("pluck_attr('real')", "one for one"),
    "publish": ("publish(), ref_count()", "one for one"),
    "publish_value": ("publish_value(-1), ref_count()", "one for one"),
    "ref_count": ("replay(buffer_size=3), ref_count()", "one for one"),
    "repeat": ("repeat(2)", "one run of the source after the other"),
    "replay": ("replay(), ref_count()", "one for one; keeps all that passed, or buffer_size"),
    "retry": ("retry(2)", "one run of the source after the other"),
    "scan": ("scan(plus)", "one for one"),
    "share": ("share()", "one for one"),
    "skip": ("skip(3)", "one for one, after those that it drops"),
    "skip_last": ("skip_last(3)", "one for one, after those that it holds"),
    "skip_while": ("skip_while(small)", "one for one, after those that it drops"),
    "skip_while_indexed": ("skip_while_indexed(small)", "one for one, after those that it drops"),
    "slice": ("slice(3, None, 2)", "drops at once; two items for one that passes"),
    "starmap": ("map(pair), starmap(same)", "one for one"),
    "starmap_indexed": ("map(pair), starmap_indexed(same)", "one for one"),
    "start_with": ("start_with(-1)", "one for one"),
    "subscribe_on": ("subscribe_on(AsyncIOScheduler())", "one for one"),
    "switch_latest": ("map(rx.of), switch_latest()", "inner observables pass items on at once"),
    "switch_map": ("switch_map(rx.of)", "inner observables pass items on at once"),
    "switch_map_indexed": ("switch_map_indexed(one)", "inner observables pass items on at once"),
    "take": ("take(100)", "one for one; ends the source"),
    "take_until": ("take_until(rx.never())", "one for one"),
    "take_until_with_time": ("take_until_with_time(1)", "one for one; ends the source"),
    "take_while": ("take_while(yes)", "one for one"),
    "take_while_indexed": ("take_while_indexed(yes)", "one for one"),
    "take_with_time": ("take_with_time(1)", "one for one; ends the source"),
    "tap": ("tap(same)", "one for one"),
    "time_interval": ("time_interval()", "one for one"),
    "timeout": ("timeout(1000)", "one for one; waiting counts as silence"),
    "timeout_with_mapper": ("timeout_with_mapper(rx.never(), lambda _: rx.never())", "one for one"),
    "timestamp": ("timestamp()", "one for one"),
    "while_do": ("while_do(twice)", "one run of the source after the other"),
    "window": ("window(rx.interval(1)), flat_map(same)", "windows pass items on at once"),
    "window_when": ("window_when(after(1)), flat_map(same)", "windows pass items on at once"),
    "window_with_count": (
        "window_with_count(5), flat_map(same)",
        "windows pass items on at once",
    ),
    "window_with_time": (
        "window_with_time(1), flat_map(same)",
        "windows pass items on at once",
    ),
    "window_with_time_or_count": (
        "window_with_time_or_count(1, 5), flat_map(same)",
        "windows pass items on at once",
    ),
    "zip_with_iterable": ("zip_with_iterable(numbers)", "one for one"),
    "zip_with_list": ("zip_with_list(numbers)", "one for one"),
}

#: What comes within the time that the operator holds items for.
BY_TIME: dict[str, Written] = {
    "buffer": ("buffer(rx.interval(1))", "the step counts lists, of a second each"),
    "buffer_toggle": (
        "buffer_toggle(rx.interval(1).pipe(take(60)), after(0.5))",
        "the step counts lists, one a second; drops the rest",
    ),
    "buffer_when": ("buffer_when(after(1))", "the step counts lists, of a second each"),
    "buffer_with_time": ("buffer_with_time(1)", "the step counts lists, of a second each"),
    "concat_all 2": (
        "map(later), concat_all()",
        "queues items while an inner observable runs",
    ),
    "concat_map 2": (
        "concat_map(later)",
        "queues items while an inner observable runs",
    ),
    "delay": ("delay(1)", "holds the items of one second"),
    "delay_with_mapper": ("delay_with_mapper(after(1))", "holds the items of one second"),
    "exclusive 2": (
        "map(later), exclusive()",
        "drops items while an inner observable runs",
    ),
    "flat_map 2": ("flat_map(later)", "runs the inner observables of a span together"),
    "flat_map_indexed 2": (
        "flat_map_indexed(later)",
        "runs the inner observables of a span together",
    ),
    "merge 2": (
        "map(later), merge(max_concurrent=2)",
        "queues items while an inner observable runs",
    ),
    "merge_all 2": (
        "map(later), merge_all()",
        "runs the inner observables of a span together",
    ),
    "sample": ("sample(1)", "the step counts samples, one a second; drops the rest"),
    "skip_last_with_time": ("skip_last_with_time(1)", "holds the items of one second"),
    "skip_until": ("skip_until(rx.timer(1))", "drops the items of one second"),
    "skip_until_with_time": ("skip_until_with_time(1)", "drops the items of one second"),
    "skip_with_time": ("skip_with_time(1)", "drops the items of one second"),
    "throttle_first": ("throttle_first(1)", "the step counts one item a second; drops the rest"),
    "window_toggle": (
        "window_toggle(rx.interval(1).pipe(take(60)), after(0.5)), flat_map(same)",
        "drops the items between two windows",
    ),
}

#: The source runs on, whatever the step does.
UNBOUNDED: dict[str, Written] = {
    "combine_latest": ("combine_latest(other)", "drops items while the other source is silent"),
    "group_join": (
        "group_join(other, after(0), after(0)), flat_map(lambda pair: pair[1])",
        "holds each item for its time",
    ),
    "join": (
        "join(other, after(0), after(0))",
        "holds each item for its time",
    ),
    "with_latest_from": ("with_latest_from(other)", "drops items while the other is silent"),
    "zip": ("zip(other)", "holds the items of the faster source"),
    "zip_latest": ("zip_latest(other)", "drops items while the other source is silent"),
}

#: A flow refuses them, as it is put together.
REFUSED: dict[str, Written] = {
    "to_future": ("to_future()", "subscribes at once, and not when the run does"),
}

#: Nothing reaches the step before the source is at its end.
DRAINED: dict[str, Written] = {
    "all": ("all(yes)", "answers at the end"),
    "average": ("average()", "answers at the end"),
    "contains": ("contains(-1)", "answers at the item, or at the end"),
    "count": ("count()", "answers at the end"),
    "debounce": ("debounce(1)", "drops an item that another one follows within 1 s"),
    "find": ("find(no)", "answers at the item, or at the end"),
    "find_index": ("find_index(no)", "answers at the item, or at the end"),
    "flat_map_latest 2": ("flat_map_latest(later)", "drops the inner one when the next item comes"),
    "fork_join": ("fork_join(other)", "emits the last items, when both have ended"),
    "ignore_elements": ("ignore_elements()", "emits nothing"),
    "last": ("last()", "answers at the end"),
    "last_or_default": ("last_or_default()", "answers at the end"),
    "max": ("max()", "answers at the end"),
    "max_by": ("max_by(same)", "answers at the end"),
    "min": ("min()", "answers at the end"),
    "min_by": ("min_by(same)", "answers at the end"),
    "reduce": ("reduce(plus)", "answers at the end"),
    "sequence_equal": ("sequence_equal(other)", "answers at the end, or at a difference"),
    "single": ("filter(zero), single()", "answers at the end"),
    "single_or_default": ("filter(zero), single_or_default()", "answers at the end"),
    "single_or_default_async": (
        "filter(zero), single_or_default_async(True)",
        "answers at the end",
    ),
    "some": ("some(no)", "answers at the item, or at the end"),
    "sum": ("sum()", "answers at the end"),
    "switch_latest 2": (
        "map(later), switch_latest()",
        "drops the inner one when the next item comes",
    ),
    "switch_map 2": ("switch_map(later)", "drops the inner one when the next item comes"),
    "switch_map_indexed 2": (
        "switch_map_indexed(later)",
        "drops the inner one when the next item comes",
    ),
    "take_last": ("take_last(3)", "emits the last ones, at the end"),
    "take_last_buffer": ("take_last_buffer(3)", "emits the last ones, at the end"),
    "take_last_with_time": ("take_last_with_time(1)", "emits those of the last second, at the end"),
    "throttle_with_mapper": ("throttle_with_mapper(after(1))", "as debounce"),
    "throttle_with_timeout": ("throttle_with_timeout(1)", "as debounce"),
    "to_dict": ("to_dict(same)", "emits all at once, at the end"),
    "to_iterable": ("to_iterable()", "emits all at once, at the end"),
    "to_list": ("to_list()", "emits all at once, at the end"),
    "to_marbles": ("to_marbles()", "emits one text, at the end"),
    "to_set": ("to_set()", "emits all at once, at the end"),
}

#: What comes out, where it isn't exactly what Rx gives alone: time passes while a source waits.
#: "sorted": the same, in another order; "flat": each item, in other lists; "part": some of the
#: items, in order; "some": some of the items; "values": the same, with other times.
RESULTS: dict[str, str] = {
    "buffer": "flat",
    "buffer_toggle": "part",
    "buffer_when": "flat",
    "buffer_with_time": "flat",
    "buffer_with_time_or_count": "flat",
    "combine_latest": "some",
    "exclusive": "flat",
    "exclusive 2": "part",
    "flat_map_latest": "flat",
    "group_join": "some",
    "join": "some",
    "merge": "sorted",
    "sample": "part",
    "skip_until": "part",
    "skip_until_with_time": "part",
    "skip_with_time": "part",
    "switch_latest": "flat",
    "switch_map": "flat",
    "switch_map_indexed": "flat",
    "take_until_with_time": "part",
    "take_with_time": "part",
    "throttle_first": "part",
    "time_interval": "values",
    "timestamp": "values",
    "window_toggle": "part",
    "with_latest_from": "some",
    "zip_latest": "some",
}
