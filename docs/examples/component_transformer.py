"""Steps of one's own: a base class with the configuration, and a class for each service."""

from __future__ import annotations

import dataclasses
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fluxus_rx import Step, run, step


@dataclasses.dataclass(frozen=True)
class Service:
    """Where the services are, and how long to wait for them."""

    url: str
    timeout: float = 10.0


class Call(Step):
    """A step that asks a service; a subclass has its path, and says what comes of the answer."""

    path = ""

    def __init__(self, name: str, service: Service) -> None:
        super().__init__(name)
        self.service = service

    def ask(self, **question: Any) -> Any:
        request = urllib.request.Request(
            f"{self.service.url}/{self.path}", json.dumps(question).encode()
        )
        with urllib.request.urlopen(request, timeout=self.service.timeout) as answer:
            return json.load(answer)


class Count(Call):
    """The number of words of a text."""

    path = "count"

    def call(self, text: str) -> dict[str, int]:
        return {"words": self.ask(text=text)["count"]}


class Split(Call):
    """The words of a text, as a product each."""

    path = "split"

    def call(self, text: str) -> Iterator[dict[str, str]]:
        for word in self.ask(text=text)["words"]:
            yield {"word": word}


class Services(BaseHTTPRequestHandler):
    """The other end: two services on a loopback server."""

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = question["text"].split()
        answer = {"/count": {"count": len(words)}, "/split": {"words": words}}[self.path]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def services() -> Iterator[Service]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Services) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield Service(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


def main() -> None:
    texts = step("texts", [{"text": "go with the flow"}, {"text": "hello"}])
    with services() as service:
        # Four calls at once, in threads; options() returns copies of the class.
        count = Count("count", service).options(concurrency=4)
        split = Split("split", service).options(executor="thread")
        counted, words = run(texts >> (count & split))
    for output in counted:
        print(output["texts"]["text"], "-", output["count"]["words"])
    print(*[output["split"]["word"] for output in words])


if __name__ == "__main__":
    main()
