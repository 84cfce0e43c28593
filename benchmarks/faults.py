"""The faults: what the server does, or what is the matter with this machine, and what a good client makes of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.scenes import NEW, Conditions

SUBMIT, WATCH, FETCH, UPLOAD = "submit", "watch", "fetch", "upload"
SCENES = (SUBMIT, WATCH, FETCH, UPLOAD)
_HTML = "<html><head><title>Service Unavailable</title></head><body>Try again.</body></html>"
_RPCS = {
    SUBMIT: "SaveKernel",
    WATCH: "GetKernelSessionStatus",
    FETCH: "ListKernelSessionOutput",
    UPLOAD: "CreateDataset",
}
CALM = Conditions()
_HALF = len(NEW) // 2
CREDENTIALS = "credential|authent|token|401"


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        name: for the table.
        plans: scene to what the server does, as keyword arguments of `emulator.Fault`; scenes that are not in it the
            fault does not concern.
        stays: it does not pass, so a refusal is as good as it gets; else it must be survived.
        conditions: of every scene; `others` has those of scenes that differ.
        league: the named list that it belongs to: `download` (25) or `api` (27).
        words: scene to what its refusal must say.
    """

    name: str
    plans: Mapping[str, tuple[dict[str, Any], ...]]
    stays: bool = False
    conditions: Conditions = CALM
    others: Mapping[str, Conditions] = field(default_factory=dict)
    league: str = ""
    words: str = ""

    def conditions_of(self, scene: str) -> Conditions:
        """What is special about this cell."""
        return self.others.get(scene, self.conditions)


def _says(status: int, message: str = "", **more: Any) -> dict[str, Any]:
    """A fixed answer: Kaggle's envelope with a message, else a page."""
    body: Any = {"error": {"code": status, "message": message}} if message else _HTML
    return {"effect": "answer", "status": status, "body": body, **more}


def _api(name: str, *faults: dict[str, Any], league: str = "", scenes: tuple[str, ...] = SCENES, **more: Any) -> Row:
    """A fault of the call that matters most to each scene."""
    plans = {scene: tuple(_call(scene, fault) for fault in faults) for scene in scenes}
    return Row(name, plans, league=league, **more)


def _call(scene: str, fault: dict[str, Any]) -> dict[str, Any]:
    """The fault of this scene's call. Who watches goes on for as long as it takes, so there it ends some time."""
    patient = {"times": 4} if scene == WATCH and fault.get("times") == 0 else {}
    return {"rpc": _RPCS[scene], **fault, **patient}


def _changing(name: str, *faults: dict[str, Any]) -> Row:
    """A fault of the calls that change something."""
    return _api(name, *faults, scenes=(SUBMIT, UPLOAD))


def api_rows() -> Iterator[Row]:
    """Faults of Kaggle's API. Those of the league are the nine that three commands each are known to fall over."""
    yield _api("HTTP 400", _says(400, "Bad request", times=0), stays=True)
    yield _api("HTTP 401", _says(401, "Unauthenticated", times=0), stays=True, league="api", words=CREDENTIALS)
    yield _api("HTTP 403", _says(403, "Permission 'kernels.get' was denied", times=0), stays=True)
    yield _api("HTTP 404", _says(404, "Not Found", times=0), stays=True)
    yield _api("HTTP 409", _says(409, "Conflict", times=0), stays=True)
    yield _api("HTTP 429 with Retry-After", _says(429, "Too many requests", headers={"Retry-After": "1"}), league="api")
    yield _api("HTTP 429, an HTML page", _says(429))
    yield _api("HTTP 429 three times", _says(429, "Too many requests", times=3))
    yield _api("HTTP 200 that says TooManyRequests", _says(200, "", body={"code": 429, "message": "TooManyRequests"}))
    yield _api("HTTP 500", _says(500, "Internal error"), league="api")
    yield _api("HTTP 502, an HTML page", _says(502), league="api")
    yield _api("HTTP 503", _says(503, "Unavailable"), league="api")
    yield _api("HTTP 503, an HTML page", _says(503))
    yield _api("HTTP 504", _says(504, "Deadline exceeded"), league="api")
    yield _api("HTTP 500 for good", _says(500, "Internal error", times=0), stays=True)
    yield _api("an HTML page with HTTP 200", _says(200), league="api")
    yield _api("an empty answer", _says(200, "", body=""))
    yield _api("an answer that is no object", _says(200, "", body=["nothing"]))
    moved = {"Location": "https://login.example.com/"}
    yield _api("a redirect to a login page", _says(302, "", headers=moved, times=0), stays=True)
    yield _api("a reset before the answer", {"effect": "reset"}, league="api")
    yield _api("a reset in the answer", {"effect": "reset", "keep": 9})
    yield _api("the answer breaks off", {"effect": "truncate", "keep": 9})
    yield _api("the connection closes without an answer", {"effect": "drop"})
    yield _api(
        "no answer, the connection stays open", {"effect": "stall", "seconds": 60, "commit": False}, league="api"
    )
    yield _api("a stall in the answer", {"effect": "stall", "seconds": 60, "keep": 9})
    yield _api("half a second late", {"effect": "delay", "seconds": 0.5})
    yield _changing("the answer is lost by a reset, what it told is done", {"effect": "reset", "commit": True})
    yield _changing("HTTP 502 after it was done", _says(502, commit=True))
    yield _changing("HTTP 503, then a lost answer", _says(503), {"effect": "drop"})
    yield _api(
        "an answer with a foreign field and nulls",
        {"effect": "alter", "body": {"news": None, "files": []}},
        scenes=(WATCH,),
    )
    yield _api("an unknown status word", {"effect": "alter", "body": {"status": "PREEMPTED"}}, scenes=(WATCH,))
    yield _api(
        "a page token that comes again and again",
        {"effect": "alter", "body": {"nextPageToken": "0"}, "times": 0},
        scenes=(FETCH,),
    )


def submit_rows() -> Iterator[Row]:
    """What Kaggle says to a push alone."""
    refusals = {
        "slots are full": "Maximum batch GPU session count of 2 reached.",
        "the weekly quota is used up": "Maximum weekly GPU quota of 30.00 hours reached.",
        "Notebook not found": "Notebook not found",
        "You cannot change the editor type": "You cannot change the editor type",
    }
    for name, said in refusals.items():
        body = {"error": said, "versionNumber": 0, "ref": "", "url": ""}
        plan = ({"rpc": "SaveKernel", **_says(200, "", body=body)},)
        yield Row(f"a push refused with HTTP 200: {name}", {SUBMIT: plan}, stays=True, words=said[:20])
    large = "The kernel source must be less than 1 megabytes in size."
    yield Row(
        "the source is too large",
        {SUBMIT: ({"rpc": "SaveKernel", **_says(400, large)},)},
        stays=True,
        words="1 megabytes",
    )


def watch_rows() -> Iterator[Row]:
    """Faults of the live log."""
    stream = "GetKernelSessionLogsStream"
    for name, *faults in (
        ("the log's stream is cut", {"effect": "truncate", "keep": 200}),
        ("the log's stream is cut by a reset", {"effect": "reset", "keep": 200}),
        ("the log's stream is cut, then HTTP 503", {"effect": "truncate", "keep": 200}, _says(503)),
        ("the log's stream falls silent", {"effect": "stall", "keep": 200, "seconds": 60}),
        ("the log's stream does not open", {"effect": "stall", "seconds": 60, "commit": False}),
        ("the log's stream is an HTML page", _says(200)),
        ("the log's stream is cut seven times", {"effect": "truncate", "keep": 120, "times": 7}),
    ):
        yield Row(name, {WATCH: tuple({"rpc": stream, **fault} for fault in faults)})


def file_rows() -> Iterator[Row]:
    """The 25 ways in which a download goes wrong, and those of an upload that are alike."""
    old = Conditions(old=True)
    for name, fault in (
        ("a file: HTTP 429 with Retry-After", _says(429, headers={"Retry-After": "1"})),
        ("a file: HTTP 429 three times", _says(429, headers={"Retry-After": "1"}, times=3)),
        ("a file: HTTP 500", _says(500)),
        ("a file: HTTP 502", _says(502)),
        ("a file: HTTP 503", _says(503)),
        ("a file: HTTP 504", _says(504)),
        ("a file: a reset before the headers", {"effect": "reset"}),
        ("a file: a reset in the body", {"effect": "reset", "keep": _HALF}),
        ("a file: it ends early, the length is known", {"effect": "truncate", "keep": _HALF}),
    ):
        sent = {**fault, "keep": 0} if "keep" in fault else fault
        yield Row(name, {FETCH: _best(fault), UPLOAD: ({"rpc": "upload", **sent},)}, league="download")
    chunked = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    open_end = {"Content-Length": ""}
    yield _file("it ends early in chunks", {"effect": "truncate", "keep": _HALF, "headers": chunked})
    blind = Conditions(manifest=False)
    hidden = {"rpc": "ListKernelFiles", "effect": "alter", "body": {"files": []}, "times": 0}
    cut = {"effect": "truncate", "keep": _HALF, "headers": open_end}
    yield Row(
        "a file: it ends early, no length, but a checksum",
        {FETCH: (*_best(cut), hidden)},
        conditions=blind,
        league="download",
    )
    bare = {**cut, "headers": {**open_end, "x-goog-hash": ""}, "times": 0}
    yield Row(
        "a file: it ends early, and nothing tells",
        {FETCH: (*_best(bare), hidden)},
        stays=True,
        conditions=Conditions(manifest=False, old=True),
        league="download",
    )
    yield _file("a stall in the body", {"effect": "stall", "keep": _HALF, "seconds": 60})
    yield _file("a stall before the headers", {"effect": "stall", "seconds": 60, "commit": False})
    yield _file("one flipped bit, the checksum is known", {"effect": "alter", "flip": True})
    yield Row(
        "a file: it changes while it is resumed",
        {FETCH: _best({"effect": "truncate", "keep": _HALF, "headers": {"ETag": '"another"'}})},
        league="download",
    )
    yield Row(
        "a file: Range is ignored",
        {
            FETCH: (
                *_best({"effect": "truncate", "keep": _HALF}),
                *_best({"effect": "alter", "ignore": ["Range", "If-Range"]}),
            )
        },
        league="download",
    )
    long = {"effect": "alter", "headers": {"Content-Length": str(len(NEW) + 1000)}, "times": 0}
    yield _file("a length that is too long, for good", long, stays=True, conditions=old)
    yield _file("HTTP 403 for good", _says(403, times=0), stays=True, conditions=old)
    yield _file("HTTP 404 for good", _says(404, times=0), stays=True, conditions=old)
    yield _file("HTTP 500 for good", _says(500, times=0), stays=True, conditions=old)
    yield _file("a reset for good", {"effect": "reset", "times": 0}, stays=True, conditions=old)
    everywhere: dict[str, tuple[dict[str, Any], ...]] = dict.fromkeys(SCENES, ())
    yield Row("a server that is away for a second", everywhere, conditions=Conditions(away=1), league="download")
    killed = Conditions(again=True, old=True, order=(("limit", 0.6),))
    stalled = _best({"effect": "stall", "keep": _HALF, "seconds": 60})
    yield Row("a file: kill -9 in the middle, then again", {FETCH: stalled}, conditions=killed, league="download")
    full = Conditions(old=True, order=(("disk", _HALF),))
    yield Row("a file: the disk is full", {FETCH: ()}, stays=True, conditions=full, league="download")


def _file(name: str, fault: dict[str, Any], **more: Any) -> Row:
    return Row(f"a file: {name}", {FETCH: _best(fault)}, league="download", **more)


def _best(fault: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """A fault of the link to best.pt."""
    return ({"rpc": "file", "match": {"name": "best.pt"}, **fault},)


def name_rows() -> Iterator[Row]:
    """Outputs with names that no kernel can write."""
    for name in ("../escape.txt", "{folder}/escape.txt", "a/../../escape.txt", ".git/hooks/x", "nul\u0000.txt"):
        plan = {"rpc": "ListKernelSessionOutput", "effect": "alter", "names": {"results.csv": name}, "times": 0}
        yield Row(f"an output called {ascii(name).format(folder='/…')}", {FETCH: (plan,)}, stays=True)


def machine_rows() -> Iterator[Row]:
    """Faults of this machine, its network and its clock."""
    everywhere: dict[str, tuple[dict[str, Any], ...]] = dict.fromkeys(SCENES, ())
    # Who watches waits for a network that is not there for as long as it takes.
    at_once: dict[str, tuple[dict[str, Any], ...]] = {SUBMIT: (), FETCH: (), UPLOAD: ()}
    for name, address in (
        ("DNS does not know the host", "https://kaggle.invalid"),
        ("nobody listens", "http://127.0.0.1:9"),
        ("TLS: the server speaks none", "https://127.0.0.1:{port}"),
    ):
        yield Row(name, at_once, stays=True, conditions=Conditions(address=address))
    expired = {"effect": "alter", "ignore": ["Authorization"]}
    passing = {"rpc": _RPCS[WATCH], **expired, "skip": 1, "times": 2}
    yield Row("the token expires on the way, and is renewed", {WATCH: (passing,)})
    staying = {"rpc": "CreateDataset", **expired, "times": 0}
    yield Row("the token expires on the way", {UPLOAD: (staying,)}, stays=True, words=CREDENTIALS)
    back = Conditions(order=(("jump", -86400.0),))
    ahead = Conditions(order=(("jump", 86400.0),))
    yield Row("the clock jumps a day ahead", everywhere, conditions=ahead)
    yield Row("the clock jumps a day back", everywhere, conditions=back)
    yield Row("the server's clock is a day ahead", everywhere, conditions=Conditions(ahead=86400))
    yield Row("the server's clock is a day behind", everywhere, conditions=Conditions(ahead=-86400))
    stalled = _best({"effect": "stall", "keep": 9, "seconds": 60, "times": 2})
    yield Row("links expire while a file is on its way", {FETCH: stalled}, conditions=Conditions(link=1))
    small = Conditions(order=(("disk", 8192),))
    yield Row("the disk is full", {SUBMIT: (), UPLOAD: (), WATCH: ()}, stays=True, conditions=small)
    yield Row("a folder that cannot be written", at_once, stays=True, conditions=Conditions(readonly=True))
    for eighth in range(1, 8):
        killed = Conditions(again=True, share=eighth / 8)
        yield Row(f"kill -9 after {eighth}/8 of its steps, then again", everywhere, conditions=killed)
    yield Row("two at once", everywhere, conditions=Conditions(twice=True))
    yield Row(
        "a dataset is hidden, then in processing, for a while", {UPLOAD: ()}, conditions=Conditions(processing=0.6)
    )


def rows() -> list[Row]:
    """The whole catalogue."""
    parts = (api_rows, submit_rows, watch_rows, file_rows, name_rows, machine_rows)
    return [row for part in parts for row in part()]
