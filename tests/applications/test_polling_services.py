"""Applications that ask again and again: polling, the tail of a file, a crawl."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fluxus_rx import arun, run, step
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.applications import Service, example, now, timed
from tests.support.errors import notes
from tests.support.probes import alone, until

polling = example("polling")


class Job:
    """A job that answers with what it is told to, one answer after the other; errors are raised."""

    def __init__(self, *answers: int | Exception, delay: float = 0.0) -> None:
        self.asked: list[float] = []
        self.active = self.most = 0
        self._answers = iter(answers)
        self._delay = delay

    async def status(self, poll: int) -> dict[str, int]:
        self.asked.append(now())
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(self._delay)
        finally:
            self.active -= 1
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return {"percent": answer}


def told(job: Job, every: float = 10.0, first_wait: float = 1.0) -> list[tuple[float, int]]:
    """What a polled job says that is new, and when."""

    async def main() -> list[tuple[float, int]]:
        flow = polling.polled(job.status, every, first_wait)
        said = [(time, product["percent"]) for time, product in await timed(flow)]
        assert alone()
        return said

    result: list[tuple[float, int]] = run_virtual(main)
    return result


def down() -> ConnectionError:
    return ConnectionError("no answer")


class TestPolling:
    def test_the_example_polls_until_the_job_is_done(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Three of seven attempts fail, and none of it shows in what is said of the job."""
        with virtual_time():
            polling.main()
        assert capsys.readouterr().out.split("\n")[:-1] == [
            *("25 %", "50 %", "75 %", "100 %"),
            "after 7 attempts",
        ]

    def test_only_news_is_given_and_the_job_is_asked_until_it_is_done(self) -> None:
        """Every ten seconds; the last answer is given, too, and no poll follows it."""
        job = Job(25, 25, 50, 50, 50, 100)
        assert told(job) == [(10.0, 25), (30.0, 50), (60.0, 100)]
        assert job.asked == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]

    def test_a_poll_that_fails_is_tried_again_ever_more_slowly(self) -> None:
        """After 1, 2 and 4 seconds; polls that are due meanwhile wait, and make one."""
        job = Job(down(), down(), down(), 50, 100)
        assert told(job, every=3.0) == [(10.0, 50), (10.0, 100)]
        assert job.asked == [3.0, 4.0, 6.0, 10.0, 10.0]

    def test_a_job_that_never_answers_ends_the_run(self) -> None:
        """After four attempts, with the last error, and notes that say so."""
        errors = [down() for _ in range(4)]
        job = Job(25, *errors)
        with pytest.raises(ConnectionError, match="no answer") as caught:
            told(job)
        assert caught.value is errors[-1]
        assert "'status'" in notes(caught.value)
        assert job.asked == [10.0, 20.0, 21.0, 23.0, 27.0]

    def test_an_error_of_another_kind_is_not_tried_again(self) -> None:
        """A bug in the step is not a service that doesn't answer."""
        job = Job(ValueError("no JSON"), 100)
        with pytest.raises(ValueError, match="no JSON"):
            told(job)
        assert job.asked == [10.0]

    def test_an_attempt_that_takes_too_long_ends_the_run(self) -> None:
        """After five seconds; a time-out isn't a ConnectionError, and isn't retried."""
        job = Job(100, delay=3600)
        with pytest.raises(TimeoutError, match="took longer than 5 s"):
            told(job)

    def test_leaving_while_it_waits_for_the_next_attempt_ends_the_polling(self) -> None:
        """No attempt and no poll follows, and no task is left."""
        job = Job(25, down(), down(), down(), 100)

        async def main() -> None:
            answers = polling.polled(job.status, 10.0, 1.0).__aiter__()
            async with aclosing(answers):
                await anext(answers)
                await asyncio.sleep(11.5)
            assert alone()
            await asyncio.sleep(60)

        run_virtual(main)
        assert job.asked == [10.0, 20.0, 21.0]

    def test_slow_answers_delay_the_polls_and_never_overlap(self) -> None:
        """A poll is made when the one before is answered, however many were due."""
        job = Job(25, 50, 100, delay=4.0)
        assert told(job, every=1.0) == [(5.0, 25), (9.0, 50), (13.0, 100)]
        # One more begins as the last answer is handed on, and is cancelled.
        assert job.asked == [1.0, 5.0, 9.0, 13.0]
        assert job.most == 1


tails = example("tail")


class TestTail:
    """With a real file; times are virtual where the test itself writes it."""

    def test_lines_come_as_they_are_written(self, tmp_path: Path) -> None:
        """What is there is given at once; a line that is written in parts, when it is whole."""
        path = tmp_path / "log"
        path.write_text("one\ntwo\nth")

        async def main() -> list[tuple[float, str]]:
            seen = []
            async with aclosing(tails.tail(path, 1.0)) as lines:
                async for entry in lines:
                    seen.append((now(), entry["line"]))
                    if len(seen) == 4:
                        return seen
            raise AssertionError

        async def write() -> None:
            await asyncio.sleep(2.5)
            with path.open("a") as file:
                file.write("ree\nfour")
            await asyncio.sleep(2.0)
            with path.open("a") as file:
                file.write("\n")

        async def both() -> Any:
            seen, _ = await asyncio.gather(main(), write())
            return seen

        assert run_virtual(both) == [(0.0, "one"), (0.0, "two"), (3.0, "three"), (5.0, "four")]

    def test_errors_are_counted_by_minute_up_to_the_end(self, tmp_path: Path) -> None:
        """Each minute has an inner flow of its own; what comes after the end isn't read."""
        path = tmp_path / "log"
        path.write_text(
            "1:00 ERROR a\n1:01 ERROR b\n1:00 ERROR c\n1:02 INFO d\n1:02 INFO bye\n1:02 ERROR e\n"
        )
        with virtual_time():
            result = run(tails.counted(path))
        assert [output["count"] for output in result[0]] == [
            {"at": "1:00", "errors": 2},
            {"at": "1:01", "errors": 1},
        ]

    def test_a_thread_writes_while_the_flow_reads(self, tmp_path: Path) -> None:
        """In real time: all is found that the other thread has written."""
        path = tmp_path / "log"
        path.touch()
        writer = threading.Thread(target=tails.write, args=(path, 0.001))
        writer.start()
        result = run(tails.counted(path, every=0.001))
        writer.join()
        assert [output["count"]["errors"] for output in result[0]] == [2, 1]

    async def test_a_process_writes_while_the_flow_reads(self, tmp_path: Path) -> None:
        """In real time: a line of another process is given before it writes the next."""
        path = tmp_path / "log"
        path.touch()
        program = (
            "import sys\nwith open(sys.argv[1], 'a') as file:\n for line in sys.stdin:\n"
            "  file.write(line)\n  file.flush()\n"
        )
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, str(path)), stdin=asyncio.subprocess.PIPE
        )
        assert writer.stdin is not None
        flow = step("log", partial(tails.tail, path, 0.001)) >> step("entry", tails.parse)
        seen: list[str] = []
        async with aclosing(flow.__aiter__()) as entries:
            for number in range(3):
                writer.stdin.write(f"1:0{number} INFO line {number}\n".encode())
                seen.append((await anext(entries))["text"])
        writer.stdin.close()
        await writer.wait()
        assert seen == ["line 0", "line 1", "line 2"]

    async def test_leaving_closes_the_file(self, tmp_path: Path) -> None:
        """So does the cancellation of a run that waits for the next line."""
        path = tmp_path / "log"
        path.write_text("1:00 INFO a\n")
        opened: list[Any] = []

        class Noted:
            """The path, which notes the files that it opens."""

            def open(self, **options: Any) -> Any:
                opened.append(path.open(**options))
                return opened[-1]

        async with aclosing(tails.counted(Noted()).__aiter__()) as counts:
            reading = asyncio.ensure_future(anext(counts))
            await until(lambda: bool(opened))
            assert not opened[0].closed
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert opened[0].closed
        running = asyncio.create_task(arun(tails.counted(Noted())))
        await until(lambda: len(opened) == 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert opened[1].closed
        assert alone()

    def test_a_line_that_can_t_be_parsed_ends_the_run_and_is_shown(self, tmp_path: Path) -> None:
        """The notes have the step and the line."""
        path = tmp_path / "log"
        path.write_text("1:00 INFO a\n\n")
        with virtual_time(), pytest.raises(ValueError, match="unpack") as caught:
            run(tails.counted(path))
        assert "in step 'entry'" in notes(caught.value)
        assert "line=''" in notes(caught.value)

    def test_a_file_that_is_not_there_is_the_error_of_the_run(self, tmp_path: Path) -> None:
        """It is raised as it is."""
        with virtual_time(), pytest.raises(FileNotFoundError):
            run(tails.counted(tmp_path / "none"))


crawl = example("crawl")


class TestCrawl:
    def test_each_page_is_fetched_once(self) -> None:
        """Though most are linked from several."""
        outputs = self.crawled(crawl.SITE, Service(0.01))
        assert sorted(output["url"] for output in outputs) == sorted(crawl.SITE)

    @staticmethod
    def crawled(site: Any, service: Service, per_second: float = 50, start: str = "/") -> list[Any]:
        """The pages of a site, fetched by a service, in the order in which they came."""

        async def fetch(url: str) -> dict[str, Any]:
            return {"links": site[await service.ask(url)]}

        async def main() -> list[Any]:
            flow = crawl.crawled(start, fetch, per_second)
            pages = [page async for page in flow]
            assert alone()
            return pages

        result: list[Any] = run_virtual(main)
        return result

    def test_requests_begin_no_faster_than_is_allowed(self) -> None:
        """Two a second, one after the other, though many links are known at once."""
        service = Service(0.1)
        site = {"/": [f"/{n}" for n in range(7)], **{f"/{n}": [] for n in range(7)}}
        assert len(self.crawled(site, service, per_second=2)) == 8
        times = [time for time, _ in service.asked]
        assert times == [0.5 * n for n in range(1, 9)]

    def test_requests_are_no_more_than_four_at_once(self) -> None:
        """Over all pages that are followed at a time, since they are one step in one run."""
        service = Service(100.0)
        site = {
            "/": ["/a", "/b"],
            "/a": [f"/a{n}" for n in range(9)],
            "/b": [f"/b{n}" for n in range(9)],
        }
        leaves: dict[str, list[str]] = {
            leaf: [] for links in site.values() for leaf in links if leaf not in site
        }
        assert len(self.crawled(site | leaves, service)) == 21
        assert service.most == 4

    def test_a_ring_of_links_comes_to_an_end(self) -> None:
        """A page that links to itself or back is fetched once; its two spellings are two pages."""
        service = Service(0.01)
        site = {"/": ["/", "/a", "/a"], "/a": ["/b", "/"], "/b": ["/a", "/b"]}
        self.crawled(site, service)
        assert [url for _, url in service.asked] == ["/", "/a", "/b"]

    def test_a_second_run_of_the_same_flow_crawls_anew(self) -> None:
        """What has been seen belongs to one run."""
        flow = crawl.crawled("/", crawl.fetch, 50)
        with virtual_time():
            assert len(run(flow)[0]) == len(run(flow)[0]) == len(crawl.SITE)

    def test_a_broken_link_ends_the_crawl_and_is_named(self) -> None:
        """With the page that it was on."""
        error = LookupError("404")
        service = Service(0.01, bad=("/gone",), error=error)
        with pytest.raises(LookupError) as caught:
            self.crawled({"/": ["/gone"]}, service)
        assert caught.value is error
        assert "'page'" in notes(error)
        assert "url='/gone'" in notes(error)

    def test_leaving_gives_up_the_requests_under_way(self) -> None:
        """Nothing is asked any more, and no task is left."""
        service = Service(10.0)
        site = {"/": ["/a", "/b", "/c"], "/a": [], "/b": [], "/c": []}

        async def fetch(url: str) -> dict[str, Any]:
            return {"links": site[await service.ask(url)]}

        async def main() -> None:
            async with aclosing(crawl.crawled("/", fetch, 1).__aiter__()) as pages:
                await anext(pages)
                await asyncio.sleep(1.5)
            assert alone()
            await asyncio.sleep(60)

        run_virtual(main)
        assert sorted(url for _, url in service.given_up) == ["/a", "/b"]
        assert len(service.asked) == 3
