"""A merchant's own web server: it writes down what it is told, and receipts it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.e2e.server import until

RECEIPT = json.dumps({"result": {"resultStatus": "S", "resultCode": "SUCCESS"}}).encode()


@dataclass(frozen=True)
class Letter:
    """`headers`: lower-case names. `path`: with its query."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Refuses the first letter to each path in `refuse_first` with 503; takes all others."""

    port: int = 0
    letters: list[Letter] = field(default_factory=list)
    refuse_first: set[str] = field(default_factory=set)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def take(self, letter: Letter) -> int:
        self.letters.append(letter)
        if letter.path in self.refuse_first:
            self.refuse_first.discard(letter.path)
            return 503
        return 200

    def wait_for(self, path: str, is_it: Callable[[Letter], bool] = lambda _: True) -> Letter:
        """The first letter to `path` that it is."""

        def found() -> Letter | None:
            return next((one for one in self.letters if one.path == path and is_it(one)), None)

        letter: Letter = until(found, f"a letter came to {path}")
        return letter


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    """A receiver on a loopback port of its own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Letter(self.path, headers, body)))
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(RECEIPT)))
            self.end_headers()
            self.wfile.write(RECEIPT)

        def log_message(self, *_: object) -> None:
            """Say nothing: the letters are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
