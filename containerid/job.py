"""The words that every part shares: what is asked for (Spec), how it stands (State), how it ended (Result).

Nothing here is shaped like one platform, or imports more than the standard library: the far side loads it too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from containerid.document import Document
from containerid.events import Event

SPEC_VERSION = 1
RESULT_FILE = "result.json"
MANIFEST_FILE = "manifest.json"
CHECKPOINT_FILE = "weights/resume.pt"
EPOCHS_FILE = "progress.jsonl"
"""One JSON object a line, for each epoch that is complete: `epoch` from 1, `epochs` in all, and what was measured."""

PACKAGES_FILE = "packages.txt"
"""What a run has installed, as requirements that allow one version each; the next leg asks for these."""

PACKED_FILES = "cid-packages-*.tar"
"""A glob. What a leg that paused has installed, for the next leg alone; in no manifest, and not fetched."""

RESULT_MARK = "CID_RESULT "
"""The start of a run's last log line; the result as one line of JSON follows it."""

NOT_ATTACHED = "the outputs of the leg before are not attached"
"""How the reason of a leg begins that did not find what it was to go on from."""

ASIDE = ("pull", "weights", "first_batch")
"""Entries of a timeline that are no phase: what went on beside the phases, and when the first batch was done."""

RESULTS = "cid/results/"
"""How the branch begins to which the far side pushes what of a run is versioned; the run's id follows."""

Tell = Callable[[Event], None]
Metrics = dict[str, float]


class State(StrEnum):
    """Where a run stands. `fetched` and `verified` are facts about a run, not states."""

    CREATED = "created"
    SYNCED = "synced"
    WAITING = "waiting"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    REFUSED = "refused"
    LOST = "lost"

    @property
    def final(self) -> bool:
        """Nothing more will happen to the run by itself."""
        return self in _FINAL


_FINAL = {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.PAUSED, State.REFUSED, State.LOST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Code(Document):
    """Which code a run executes and how it gets there.

    Attributes:
        sha: the snapshot commit, 40 hex digits; empty outside git (local runs only).
        tree: the tree id of that commit.
        carried_tree: the tree id of what is carried, which leaves data folders out; equals `tree` when nothing is.
        branch: the branch the snapshot was taken from; empty when detached.
        ref: the ref that holds the SHA on the remote; empty when it was not pushed.
        remote: the URL to fetch from, without any credentials; empty when there is no remote.
        transport: `embed` (in the kernel's source), `fetch` (git, by SHA), `dataset` (a private dataset) or
            `worktree` (a local run).
        digest: SHA-256 of the code archive, hex; empty when none is carried.
        dataset: for `dataset`: the platform's name of the dataset that holds the archive.
        folder: the project's folder inside the repository, POSIX, empty for its root; for `worktree` its absolute path.
        holds_package: the tree holds `containerid` itself, and that is what runs.
    """

    sha: str = ""
    tree: str = ""
    carried_tree: str = ""
    branch: str = ""
    ref: str = ""
    remote: str = ""
    transport: str = "embed"
    digest: str = ""
    dataset: str = ""
    folder: str = ""
    holds_package: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Document):
    """Where the images come from.

    Attributes:
        provider: `folder`, `kaggle` (an attached dataset), `dvc` or `synthetic`.
        source: a folder (absolute, or relative to the project), `owner/slug`, or a DVC target or stage;
            empty for `synthetic`.
        digest: SHA-256 over the content (see `containerid.training.data.digest`); empty when unknown.
        options: provider settings, for `synthetic` the number of images and their size in pixels.
    """

    provider: str = "folder"
    source: str = ""
    digest: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past(Document):
    """What a leg goes on from.

    Attributes:
        kind: `kernel` (the attached outputs of the leg before), `dataset` (a private one that holds its checkpoint),
            `folder` (on this machine); empty for a first leg.
        source: `owner/slug`, or an absolute folder.
    """

    kind: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Document):
    """Whether the far side pushes a run's model itself, to a branch of its own on top of the run's commit.

    Attributes:
        when: `never`; `on-pass`, when there are gates and they were met; `always`, when it was trained and evaluated.
        path: the folder of the model, POSIX, from the project's folder.
    """

    when: str = "never"
    path: str = ""

    @property
    def asked(self) -> bool:
        """It may come to a push."""
        return self.when != "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec(Document):
    """The document that crosses to the other machine. It holds no secret in clear and no path of this one.

    Attributes:
        run: the run id, also the name of its folders.
        experiment: its name in params.yaml; empty for the base section.
        project: the project's name, as W&B and reports show it.
        backend: `local`, `kaggle` or `rehearsal`.
        params: the merged, validated section, as `containerid.config.Params.to_dict()` gives it.
        entry: the module that trains: ours, or the project's own.
        install: the project's extras that the far side installs.
        device: `auto`, `cpu`, `cuda` or `mps`.
        gpu: a GPU is asked for, and must be proven.
        internet: the far side may reach the network.
        quick: a few steps on a handful of images, the whole path.
        overrides: `key.path=value`, as they were said on the command line; `params` holds them already.
        budget: seconds that this session may last, from its start to its result; 0 is no limit.
        leg: which session of the run this is, from 1; `past` is what a later one goes on from.
        publish: what becomes of the model beside the outputs.
        created: ISO 8601, UTC.
        cid: the version of this package at the submitting end.
        secrets: names of the secrets that the run needs, to their ciphertext.
    """

    version: int = SPEC_VERSION
    run: str
    experiment: str = ""
    project: str = ""
    backend: str = "local"
    params: dict[str, Any] = field(default_factory=dict)
    code: Code = field(default_factory=Code)
    data: Data = field(default_factory=Data)
    entry: str = "containerid.training"
    install: tuple[str, ...] = ()
    device: str = "auto"
    gpu: bool = True
    internet: bool = True
    quick: bool = False
    overrides: tuple[str, ...] = ()
    budget: float = 0
    leg: int = 1
    past: Past = field(default_factory=Past)
    publish: Publish = field(default_factory=Publish)
    created: str = ""
    cid: str = ""
    secrets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Document):
    """`result.json`: the truth about a leg, written by the training end on every exit.

    Attributes:
        outcome: `succeeded`, `failed`, `paused` or `cancelled`.
        phase: the phase in which it ended, such as `train`.
        reason: one line; empty for a success.
        exit_code: of the process that trained.
        metrics: flat, such as `test/mAP50-95`; fractions in [0, 1], `speed/*` in milliseconds.
        proof: what it ran on: `2 × Tesla T4 (15 GiB, sm_75)`, `rehearsed on CPU`, `CPU`.
        timeline: seconds that each phase took, in order; and of ASIDE: what the `pull` of the data and the download of
            the `weights` took, beside other phases or within one, and how long after the session's beginning the
            `first_batch` was done.
        environment: versions, host, Python, packages.
        tracking: where the run can be looked at, such as the W&B URL.
        published: where the far side was to push the model: `branch`, `sha` and `storage` (DVC's remote) once that is
            proven, else `problem`; empty where it was not to.
        checkpoint: of a leg that left one: `epoch` (complete ones), `epochs` (in all), and `asked` where somebody
            asked it to stop.
    """

    version: int = SPEC_VERSION
    run: str
    outcome: str
    phase: str = ""
    reason: str = ""
    exit_code: int = 0
    sha: str = ""
    tree: str = ""
    started: str = ""
    ended: str = ""
    metrics: Metrics = field(default_factory=dict)
    proof: str = ""
    timeline: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    tracking: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The run state that this outcome stands for; an unknown word is a failure."""
        return _OUTCOMES.get(self.outcome, State.FAILED)


_OUTCOMES = {str(each): each for each in (State.SUCCEEDED, State.FAILED, State.PAUSED, State.CANCELLED)}


@dataclass(frozen=True, slots=True)
class Leg:
    """One session of a run on a platform.

    Attributes:
        handle: the backend's own name for it (`owner/slug`, `namespace/job`, a process id).
        version: which attempt under that name, in the backend's own words; empty for the newest.
        url: where a person can look at it; empty when there is no such page.
    """

    handle: str
    version: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What the platform says. It tells when to look at the result, never how the run ended."""

    state: State
    message: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a leg left behind.

    Attributes:
        name: as the platform gives it; not to be trusted as a path.
        size: bytes; None where nobody says.
        source: where `containerid.platform.Backend.download` reads it from.
        sha256: what its content must be, hex; empty while nobody says.
    """

    name: str
    size: int | None
    source: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a submit would send, for the eye and for `--dry-run`.

    Attributes:
        rows: label and value, in the order in which they are shown.
        files: name to content of what is written to the run's folder and pushed from there.
        warnings: what the user should know before it is sent.
    """

    rows: tuple[tuple[str, str], ...]
    files: dict[str, bytes] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
