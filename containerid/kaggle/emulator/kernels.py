"""Kernels: pushed, versioned, read back, listed, deleted (kernels.KernelsApiService)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from containerid.kaggle.emulator.accounts import Accounts
from containerid.kaggle.emulator.answers import Problem, moment, page
from containerid.kaggle.emulator.datasets import Datasets
from containerid.kaggle.emulator.layer import Interpreter
from containerid.kaggle.emulator.quota import Quota
from containerid.kaggle.emulator.sandbox import Order
from containerid.kaggle.emulator.sessions import Session, Sessions
from containerid.kaggle.emulator.shelf import Shelf, may_see
from containerid.kaggle.emulator.store import Document, Store

SOURCE_LIMIT = 1_000_000
SESSION_SECONDS = {"CPU": 12 * 3600, "GPU": 12 * 3600, "TPU": 9 * 3600}
# Shapes that Kaggle still takes and serves on something else since 2026-09-14 (Kaggle/kaggle-cli#1198).
_RETIRED = {"nvidiateslap100": "NvidiaTeslaT4", "tpuv38": "TpuV5E8", "tpu1vmv38": "TpuV5E8"}


class Refusal(Exception):
    """A push that is turned down: HTTP 200 with this text in `error`, and nothing is created."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What every kernel of this server gets.

    Attributes:
        interpreter: tells the Python that kernels run on.
        isolate: give kernels a root folder of their own where the machine allows.
        output: bytes that /kaggle/working may hold.
        origin: tells the server's own address.
    """

    interpreter: Callable[[], Interpreter]
    isolate: bool
    output: int
    origin: Callable[[], str]


class Kernels:
    """The kernels of all users."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        sessions: Sessions,
        quota: Quota,
        datasets: Datasets,
        accounts: Accounts,
        platform: Platform,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._sessions = sessions
        self._quota = quota
        self._datasets = datasets
        self._accounts = accounts
        self._platform = platform

    def save(self, user: str, body: Mapping[str, Any]) -> Document:
        """SaveKernel: a new version and a session that runs it, or a refusal."""
        if len(str(body.get("text") or "").encode("utf-8", "replace")) > SOURCE_LIMIT:
            raise Problem(400, "The kernel source must be less than 1 megabytes in size.")
        with self._store.lock:
            try:
                kernel = self._target(user, body)
                self._admit(user, kernel, body)
            except Refusal as refusal:
                return _pushed(error=str(refusal))
            return self._add_version(kernel, body)

    def _target(self, user: str, body: Mapping[str, Any]) -> Document:
        """The kernel that a push is for; a new one, not written yet, when there is none."""
        owner, _, slug = str(body.get("slug") or "").lower().rpartition("/")
        title = str(body.get("newTitle") or "")
        known = self._shelf.by_id(user, body["id"]) if body.get("id") else self._shelf.read(owner or user, slug)
        if (body.get("id") and not known) or owner not in ("", user):
            raise Refusal("Notebook not found")
        if known:
            if title and _slugify(title) != known["slug"]:
                raise Problem(409, "Conflict")
            return {**known, "title": title or known["title"]}
        return self._new(user, title or slug)

    def _new(self, user: str, title: str) -> Document:
        slug = _slugify(title)
        if not slug:
            raise Problem(400, "Title is required")
        if self._shelf.read(user, slug):
            raise Problem(409, "Conflict")
        return {"id": self._store.next("kernel"), "owner": user, "slug": slug, "title": title, "versions": 0}

    def _admit(self, user: str, kernel: Document, body: Mapping[str, Any]) -> None:
        if kernel["versions"] and self._shelf.version(kernel)["kernelType"] != _kernel_type(body):
            raise Refusal("You cannot change the editor type")
        if body.get("kernelExecutionType") == "QUICK_SAVE":
            return
        if refusal := self._quota.refusal(user, accelerator(body)[0], self._sessions.live()):
            raise Refusal(refusal)

    def _add_version(self, kernel: Document, body: Mapping[str, Any]) -> Document:
        number = kernel["versions"] + 1
        mounts, invalid = self._sources(kernel["owner"], body)
        version = {**body, "kernelType": _kernel_type(body), "number": number, "created": 0.0, "session": None}
        if body.get("kernelExecutionType") != "QUICK_SAVE":
            session = self._run(kernel, number, body, mounts)
            version.update(session=session.id, created=session.created)
        kernel = {**kernel, "versions": number, "private": body.get("isPrivate", True)}
        self._shelf.keep(kernel, version)
        return _pushed(kernel, number, self._platform.origin(), invalid)

    def _run(self, kernel: Document, number: int, body: Mapping[str, Any], mounts: list[list[str]]) -> Session:
        kind, _ = accelerator(body)
        limit = float(body.get("sessionTimeoutSeconds") or 0) or SESSION_SECONDS[kind]
        token = self._accounts.issue(kernel["owner"])

        def order(session: int) -> Order:
            return Order(
                source=str(body.get("text") or ""),
                kind=_kernel_type(body),
                interpreter=self._platform.interpreter().to_dict(),
                isolate=self._platform.isolate,
                internet=bool(body.get("enableInternet", True)),
                inputs=mounts,
                environment=_variables(session, token, self._platform.origin()),
                token=token,
                limit=min(limit, SESSION_SECONDS[kind]),
                output=self._platform.output,
            )

        where = {"owner": kernel["owner"], "slug": kernel["slug"], "version": number, "kind": kind}
        return self._sessions.start(**where, order=order)

    def _sources(self, user: str, body: Mapping[str, Any]) -> tuple[list[list[str]], Document]:
        """What can be mounted, under both names that Kaggle has used, and what is named back as invalid."""
        mounts: list[list[str]] = []
        invalid: dict[str, list[str]] = {"invalidDatasetSources": [], "invalidKernelSources": []}
        for kind, find, fault in (
            ("dataset", self._datasets.mounted, "invalidDatasetSources"),
            ("kernel", self._mounted, "invalidKernelSources"),
        ):
            for source in body.get(f"{kind}DataSources") or []:
                owner, slug = (*str(source).split("/"), "")[:2]
                if (folder := find(user, owner, slug)) is None:
                    invalid[fault].append(source)
                    continue
                layout = "datasets" if kind == "dataset" else "notebooks"
                mounts += [[folder, f"{layout}/{owner}/{slug}"], [folder, slug]]
        invalid["invalidCompetitionSources"] = list(body.get("competitionDataSources") or [])
        invalid["invalidModelSources"] = list(body.get("modelDataSources") or [])
        return mounts, invalid

    def _mounted(self, user: str, owner: str, slug: str) -> str | None:
        """The outputs of a kernel's last complete version; a pinned version is ignored, as Kaggle ignores it."""
        kernel = self._shelf.read(owner, slug)
        if not kernel or not may_see(user, kernel):
            return None
        for session in reversed(self._shelf.sessions_of(kernel)):
            if self._sessions.standing(session).state == "COMPLETE":
                return str(session.outputs)
        return None

    def get(self, user: str, body: Mapping[str, Any]) -> Document:
        """GetKernel: what was stored, the source in clear. The CLI names a version as `slug/2`."""
        slug, _, number = str(body.get("kernelSlug") or "").partition("/")
        kernel = self._shelf.find(user, str(body.get("userName") or user), slug)
        version = self._shelf.version(kernel, str(body.get("versionLabel") or (f"v{number}" if number else "")))
        blob = {
            "source": version.get("text", ""),
            "language": version.get("language", "python"),
            "kernelType": version["kernelType"],
            "slug": kernel["slug"],
        }
        return {"metadata": self._metadata(kernel, version), "blob": blob}

    def _metadata(self, kernel: Document, version: Document) -> Document:
        kept = ("language", "kernelType", "enableInternet", "categoryIds", "dockerImage")
        sources = ("datasetDataSources", "kernelDataSources", "competitionDataSources", "modelDataSources")
        kind, shape = accelerator(version)
        return {
            **{name: version[name] for name in kept if name in version},
            **{name: version.get(name) or [] for name in sources},
            "id": kernel["id"],
            "ref": f"{kernel['owner']}/{kernel['slug']}",
            "title": kernel["title"],
            "author": kernel["owner"],
            "slug": kernel["slug"],
            "lastRunTime": moment(version["created"]),
            "isPrivate": kernel["private"],
            "enableGpu": kind == "GPU",
            "enableTpu": kind == "TPU",
            "machineShape": shape,
            "currentVersionNumber": kernel["versions"],
        }

    def list_kernels(self, user: str, body: Mapping[str, Any]) -> Document:
        """ListKernels: one's own (`PROFILE`), a user's, or all that may be seen, the last run first."""
        owner = user if body.get("group") == "PROFILE" else str(body.get("user") or "")
        words = str(body.get("search") or "").lower()
        with self._store.lock:
            seen = [kernel for kernel in self._shelf.all() if may_see(user, kernel) and owner in ("", kernel["owner"])]
            found = [self._metadata(kernel, self._shelf.version(kernel)) for kernel in seen]
        found = [kernel for kernel in found if words in kernel["title"].lower()]
        for name in ("language", "kernelType"):
            wanted = body.get(name) or "all"
            found = [kernel for kernel in found if wanted in ("all", kernel.get(name))]
        found.sort(key=lambda kernel: (kernel["lastRunTime"], kernel["id"]), reverse=True)
        shown, token = page(found, body, most=100)
        return {"kernels": shown, "nextPageToken": token}

    def delete(self, user: str, body: Mapping[str, Any]) -> Document:
        """DeleteKernel: ends its sessions, frees their slots, removes all versions and outputs."""
        owner, slug = str(body.get("userName") or user), str(body.get("kernelSlug") or "")
        with self._store.lock:
            kernel = self._shelf.find(user, owner, slug, "kernels.delete")
            sessions = self._shelf.sessions_of(kernel)
            self._shelf.drop(kernel)
        for session in sessions:
            self._sessions.remove(session)
        return {}


def accelerator(body: Mapping[str, Any]) -> tuple[str, str]:
    """`CPU`, `GPU` or `TPU`, and the machine shape as GetKernel gives it back. Only the shape picks the card."""
    shape = str(body.get("machineShape") or "")
    shape = _RETIRED.get(shape.lower(), shape)
    if shape.lower().startswith("tpu") or (not shape and body.get("enableTpu")):
        return "TPU", shape or "TpuV5E8"
    if shape not in ("", "None") or body.get("enableGpu"):
        return "GPU", shape or "Gpu"
    return "CPU", "None"


def _kernel_type(body: Mapping[str, Any]) -> str:
    return str(body.get("kernelType") or "script")


def _slugify(title: str) -> str:
    from slugify import slugify

    slug: str = slugify(title)
    return slug


def _variables(session: int, token: str, origin: str) -> dict[str, str]:
    return {
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "KAGGLE_KERNEL_INTEGRATIONS": "",
        "KAGGLE_URL_BASE": origin,
        "KAGGLE_DATA_PROXY_URL": origin,
        "KAGGLE_DATA_PROXY_TOKEN": token,
        "KAGGLE_DATA_PROXY_PROJECT": "kaggle-161607",
        "KAGGLE_USER_SECRETS_TOKEN": token,
        "KAGGLE_CONTAINER_NAME": f"kaggle_{token}-{session}-webtier",
    }


def _pushed(
    kernel: Document | None = None, number: int = 0, origin: str = "", invalid: Document | None = None, error: str = ""
) -> Document:
    """SaveKernel's answer, with the fields that the real server adds and no client reads."""
    page_of = f"/code/{kernel['owner']}/{kernel['slug']}" if kernel else ""
    return {
        "ref": f"{page_of} v{number}" if kernel else "",
        "url": f"{origin}{page_of}" if kernel else "",
        "versionNumber": number,
        "hasVersionNumber": bool(number),
        "error": error,
        "errorNullable": error,
        "hasError": bool(error),
        "kernelId": kernel["id"] if kernel else 0,
        "invalidTags": [],
        **(invalid or {}),
    }
