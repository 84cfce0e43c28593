"""W&B's server as far as its client needs one: runs with their history, on loopback."""

import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

KEY = "a" * 40


class WandbServer:
    """Keeps what a client sends.

    Attributes:
        history: run id to its rows, as the server would show them: a row replaces the one at its place.
        paths: every path that was asked for.
        access: of every project.
        hangs: it takes connections and says nothing.
    """

    def __init__(self, access: str = "PRIVATE", *, hangs: bool = False, refuses: bool = False) -> None:
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.paths: list[str] = []
        self.keys: set[str] = set()
        self.access, self.hangs, self.refuses = access, hangs, refuses
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        self.paths.append(path)
        if self.hangs:
            self._over.wait(30)
        if path.endswith("graphql"):
            asked = json.loads(body)
            return {"data": self._data(asked["query"], asked["variables"])}
        if path.endswith("file_stream"):
            self._keep(path.split("/")[-2], json.loads(body))
        return {}

    def _data(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        answers: dict[str, Callable[[], Any]] = {
            "upsertBucket": lambda: {"inserted": given["name"] not in self.history, "bucket": self._bucket(given)},
            "model(": lambda: self._model(given),
            "createRunFiles": lambda: {"runID": "b", "uploadHeaders": [], "files": self._files(given)},
            "access": lambda: {"access": self.access},
        }
        names = {"model(": "model", "access": "project"}
        return {names.get(word, word): answer() for word, answer in answers.items() if word in query}

    def _bucket(self, given: dict[str, Any]) -> dict[str, Any]:
        self.history.setdefault(given["name"], [])
        project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "ada"}}
        lines = len(self.history[given["name"]])
        return {"id": "b", "name": given["name"], "displayName": given["name"], "config": given.get("config")} | {
            "project": project,
            "historyLineCount": lines,
        }

    def _model(self, given: dict[str, Any]) -> dict[str, Any] | None:
        if not (rows := self.history.get(given["name"])):
            return None
        counts = {"logLineCount": 0, "eventsLineCount": 0, "historyLineCount": len(rows)}
        tails = {
            "historyTail": json.dumps([json.dumps(rows[-1])]),
            "eventsTail": json.dumps([json.dumps({"_runtime": 1})]),
        }
        bucket = {"id": "b", "name": given["name"], "displayName": given["name"], "tags": [], "notes": None} | {
            "summaryMetrics": json.dumps(rows[-1]),
            "config": "{}",
            "wandbConfig": '{"t": 1}',
            **counts,
            **tails,
        }
        return {"id": "m", "name": given["project"], "entity": {"id": "e", "name": "ada"}, "bucket": bucket}

    def _files(self, given: dict[str, Any]) -> list[dict[str, str]]:
        return [{"name": name, "uploadUrl": f"{self.url}/up/{name}"} for name in given["files"]]

    def _keep(self, run: str, sent: dict[str, Any]) -> None:
        told = (sent.get("files") or {}).get("wandb-history.jsonl")
        if told:
            rows = [json.loads(line) for line in told["content"]]
            self.history[run][told["offset"] : told["offset"] + len(rows)] = rows

    def steps(self, run: str) -> list[int]:
        return [row["_step"] for row in self.history.get(run, [])]


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            server.keys.add(self.headers["Authorization"] or "")
            content = json.dumps(server.answer(self.path, body)).encode()
            self.send_response(401 if server.refuses else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ValueError):
                self.close_connection = True

    return Handler
