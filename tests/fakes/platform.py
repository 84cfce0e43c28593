"""A platform in memory that keeps state: what a test makes it say is what a backend of it reports."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from containerid.errors import CidError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import RESULT_MARK, Leg, Output, Plan, Result, Spec, State, Status, Tell


@dataclass
class Platform:
    """What the far side holds.

    Attributes:
        says: statuses (or errors to raise) in the order in which they are asked for; the last one stays.
        files: outputs by name.
        log: lines.
        pushed: specs that arrived.
        answer: an error that submit raises instead of its answer; `arrives`: whether the push arrived all the same.
        ending: the outcome of every run that arrives; empty while the test writes the result itself.
        broken: outputs that are cut short on their way.
        before: by the name of a call, `submit`, `find` or `download`, what happens first; it may raise.
    """

    says: list[Status | BaseException] = field(default_factory=lambda: [Status(State.SUCCEEDED)])
    files: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    pushed: list[Spec] = field(default_factory=list)
    answer: CidError | None = None
    arrives: bool = True
    ending: str = ""
    asked: int = 0
    broken: set[str] = field(default_factory=set)
    before: dict[str, Callable[..., object]] = field(default_factory=dict)

    def happens(self, call: str, *arguments: object) -> None:
        """What a test wants to happen before a call."""
        if call in self.before:
            self.before[call](*arguments)

    def finish(self, run: str, *, outcome: str = "succeeded", in_log: bool = False, **more: Any) -> None:
        """The run leaves a result (in the log alone with `in_log`) and a manifest over all files."""
        result = json.dumps(Result(run=run, outcome=outcome, **more).to_dict())
        self.log.append(RESULT_MARK + result)
        if not in_log:
            self.files["result.json"] = result.encode()
            self.list_files(run)

    def list_files(self, run: str) -> None:
        """Write the manifest over what there is."""
        self.files.pop("manifest.json", None)
        entries = [{"path": n, "size": len(b), "sha256": sha256(b).hexdigest()} for n, b in self.files.items()]
        self.files["manifest.json"] = json.dumps({"version": 1, "run": run, "files": entries}).encode()


class PlatformBackend:
    """The backend of a `Platform`; `current` is the one that the table's factory opens."""

    current = Platform()
    embed_limit = 0

    def __init__(self, home: Home, settings: Any = None) -> None:
        self.platform = PlatformBackend.current

    def prepare(self, spec: Spec, tell: Tell) -> Spec:
        return spec

    def plan(self, spec: Spec) -> Plan:
        return Plan((("code", spec.code.sha or "none"),), {"job.txt": spec.run.encode()})

    def submit(self, spec: Spec) -> Leg:
        self.platform.happens("submit", spec)
        if self.platform.arrives:
            self.platform.pushed.append(spec)
            if self.platform.ending:
                self.platform.finish(spec.run, outcome=self.platform.ending, metrics={"test/mAP50": 0.9})
        if self.platform.answer:
            raise self.platform.answer
        return Leg(f"ada/cid-{spec.run}", "1", f"https://platform.example/code/ada/cid-{spec.run}")

    def find(self, spec: Spec) -> Leg | None:
        self.platform.happens("find", spec)
        return Leg(f"ada/cid-{spec.run}", "1") if any(spec.run == each.run for each in self.platform.pushed) else None

    def status(self, leg: Leg) -> Status:
        says = self.platform.says
        said = says[min(self.platform.asked, len(says) - 1)]
        self.platform.asked += 1
        if isinstance(said, BaseException):
            raise said
        return said

    def logs(self, leg: Leg, *, follow: bool) -> Iterator[LogLine]:
        return (LogLine(float(number), "stdout", text) for number, text in enumerate(self.platform.log))

    def outputs(self, leg: Leg) -> Sequence[Output]:
        return [Output(name, len(content), name) for name, content in self.platform.files.items()]

    def download(self, output: Output, to: Path) -> str:
        self.platform.happens("download", output, to)
        if output.name in self.platform.broken:
            to.write_bytes(self.platform.files[output.source][:-1])
        else:
            to.write_bytes(self.platform.files[output.source])
        return ""

    def cancel(self, leg: Leg) -> None:
        self.platform.says = [Status(State.CANCELLED)]
