"""Datasets: made from uploads, versioned, read back, downloaded, deleted (datasets.DatasetApiService)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from containerid.kaggle.emulator.answers import Answer, Problem, denied, moment, page, redirect
from containerid.kaggle.emulator.archives import files, pack, size, unpack_all
from containerid.kaggle.emulator.blobs import Blobs
from containerid.kaggle.emulator.links import Links, below
from containerid.kaggle.emulator.sandbox import remove
from containerid.kaggle.emulator.store import Document, Store, read, write


class Datasets:
    """The datasets of all users.

    Args:
        store, blobs, links: where they are kept, how they come and how they go.
        clock: seconds since 1970.
        origin: tells the server's own address.
        processing: seconds until a new version is ready; a new dataset is not to be seen for the first half of them.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        links: Links,
        clock: Callable[[], float],
        origin: Callable[[], str],
        *,
        processing: float = 0,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._links = links
        self._clock = clock
        self._origin = origin
        self._processing = processing

    def create(self, user: str, body: Mapping[str, Any]) -> Document:
        """CreateDataset from uploaded files; archives among them are unpacked."""
        slug, title = str(body.get("slug") or ""), str(body.get("title") or "")
        if str(body.get("ownerSlug") or user).lower() != user or not slug:
            raise denied("datasets.create")
        with self._store.lock:
            if read(self._path(user, slug)):
                taken = f'The requested title "{title}" is already in use by a dataset. Please choose another title.'
                return {"status": "error", "error": taken, "invalidTags": []}
            dataset = {
                "id": self._store.next("dataset"),
                "owner": user,
                "slug": slug,
                "title": title,
                "private": body.get("isPrivate", False),
                "license": body.get("licenseName", "unknown"),
                "subtitle": body.get("subtitle", ""),
                "description": body.get("description", ""),
                "versions": [],
            }
            return self._add_version(dataset, body)

    def create_version(self, user: str, body: Mapping[str, Any]) -> Document:
        """CreateDatasetVersion and CreateDatasetVersionById: the new files stand in place of the old ones."""
        with self._store.lock:
            if body.get("id"):
                dataset = next((each for each in self._all() if each["id"] == body["id"]), None)
            else:
                dataset = read(self._path(str(body.get("ownerSlug") or user), str(body.get("datasetSlug") or "")))
            if not dataset or dataset["owner"] != user:
                raise denied("datasets.update")
            return self._add_version(dataset, body.get("body") or {})

    def _add_version(self, dataset: Document, body: Mapping[str, Any]) -> Document:
        number = max((version["number"] for version in dataset["versions"]), default=0) + 1
        folder = self._folder(dataset, number)
        try:
            self._gather(folder, body)
            unpack_all(folder)
        except Problem:
            remove(folder)
            raise
        version = {"number": number, "created": self._clock(), "notes": body.get("versionNotes") or "Initial release"}
        kept = [] if body.get("deleteOldVersions") else dataset["versions"]
        write(self._path(dataset["owner"], dataset["slug"]), {**dataset, "versions": [*kept, version]})
        for gone in dataset["versions"] if not kept else []:
            remove(self._folder(dataset, gone["number"]))
            self._zip(dataset, gone["number"]).unlink(missing_ok=True)
        ref = f"{dataset['owner']}/{dataset['slug']}"
        return {"ref": f"/{ref}", "url": self._url(dataset), "status": "ok", "error": "", "invalidTags": []}

    def _gather(self, folder: Path, body: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for file in body.get("files") or []:
            self._blobs.claim(str(file.get("token") or ""), folder)
        for directory in body.get("directories") or []:
            self._gather(folder / Path(str(directory.get("name") or "_")).name, directory)

    def _url(self, dataset: Document) -> str:
        return f"{self._origin()}/datasets/{dataset['owner']}/{dataset['slug']}"

    def status(self, user: str, body: Mapping[str, Any]) -> Document:
        """GetDatasetStatus."""
        newest = self._asked(user, body)["versions"][-1]
        return {"status": "READY" if self._age(newest) >= self._processing else "INDIVIDUAL_BLOBS_COMPRESSED"}

    def _age(self, version: Document) -> float:
        age: float = self._clock() - version["created"]
        return age

    def _ready(self, dataset: Document) -> list[Document]:
        return [version for version in dataset["versions"] if self._age(version) >= self._processing]

    def get(self, user: str, body: Mapping[str, Any]) -> Document:
        """GetDataset."""
        return self._described(self._asked(user, body))

    def _described(self, dataset: Document) -> Document:
        newest = dataset["versions"][-1]
        return {
            "id": dataset["id"],
            "ref": f"{dataset['owner']}/{dataset['slug']}",
            "url": self._url(dataset),
            "title": dataset["title"],
            "subtitle": dataset["subtitle"],
            "description": dataset["description"],
            "ownerName": dataset["owner"],
            "ownerRef": dataset["owner"],
            "creatorName": dataset["owner"],
            "licenseName": dataset["license"],
            "isPrivate": dataset["private"],
            "totalBytes": size(self._folder(dataset, newest["number"])),
            "lastUpdated": moment(newest["created"]),
            "currentVersionNumber": newest["number"],
            "versions": [_described_version(version) for version in dataset["versions"]],
        }

    def metadata(self, user: str, body: Mapping[str, Any]) -> Document:
        """GetDatasetMetadata."""
        dataset = self._asked(user, body)
        info = {
            "datasetId": dataset["id"],
            "datasetSlug": dataset["slug"],
            "ownerUser": dataset["owner"],
            "title": dataset["title"],
            "subtitle": dataset["subtitle"],
            "description": dataset["description"],
            "isPrivate": dataset["private"],
            "licenses": [{"name": dataset["license"]}],
            "keywords": [],
            "collaborators": [],
            "data": [],
        }
        return {"info": info}

    def update_metadata(self, user: str, body: Mapping[str, Any]) -> Document:
        """UpdateDatasetMetadata: what is left out becomes its default, `isPrivate` too (and so public)."""
        settings = body.get("settings") or {}
        with self._store.lock:
            dataset = self._asked(user, body)
            if dataset["owner"] != user:
                raise denied("datasets.update")
            changed = {name: settings.get(name, "") for name in ("title", "subtitle", "description")}
            changed = {**dataset, **changed, "private": settings.get("isPrivate", False)}
            write(self._path(dataset["owner"], dataset["slug"]), changed)
        return {"errors": []}

    def list_datasets(self, user: str, body: Mapping[str, Any]) -> Document:
        """ListDatasets: those that may be seen, a user's or one's own when asked for."""
        owner = user if body.get("group") in ("MY", "DATASET_SELECTION_GROUP_MY") else str(body.get("user") or "")
        words = str(body.get("search") or "").lower()
        seen = [
            self._described(dataset)
            for dataset in self._all()
            if _may_see(user, dataset) and owner in ("", dataset["owner"]) and words in dataset["title"].lower()
        ]
        shown, token = page(seen, body)
        return {"datasets": shown, "nextPageToken": token}

    def list_files(self, user: str, body: Mapping[str, Any]) -> Document:
        """ListDatasetFiles."""
        dataset = self._asked(user, body)
        version = _version(dataset, body)
        folder = self._folder(dataset, version["number"])
        names, token = page(files(folder), body)
        made = {"creationDate": moment(version["created"])}
        sizes = {name: (folder / name).stat().st_size for name in names}
        listed = [{"name": name, "ref": name, "totalBytes": size, **made} for name, size in sizes.items()]
        return {"datasetFiles": listed, "nextPageToken": token}

    def download(self, user: str, body: Mapping[str, Any]) -> Answer:
        """DownloadDataset: on to one file, or to a zip of all."""
        dataset = self._asked(user, body)
        number = _version(dataset, body)["number"]
        folder, zipped = self._folder(dataset, number), self._zip(dataset, number)
        if name := str(body.get("fileName") or ""):
            return redirect(self._links.to(below(folder, name)))
        if not zipped.exists():
            pack(folder, zipped)
        return redirect(self._links.to(zipped, f"{dataset['slug']}.zip"))

    def delete(self, user: str, body: Mapping[str, Any]) -> Document:
        """DeleteDataset, all its versions."""
        with self._store.lock:
            dataset = self._asked(user, body)
            if dataset["owner"] != user:
                raise denied("datasets.delete")
            self._path(dataset["owner"], dataset["slug"]).unlink()
        remove(self._folder(dataset, 1).parent)
        return {}

    def mounted(self, user: str, owner: str, slug: str) -> str | None:
        """The folder of the newest version that is ready; None for none. A pinned version is ignored."""
        dataset = read(self._path(owner, slug))
        if not dataset or not _may_see(user, dataset) or not (ready := self._ready(dataset)):
            return None
        return str(self._folder(dataset, ready[-1]["number"]))

    def _asked(self, user: str, body: Mapping[str, Any]) -> Document:
        dataset = read(self._path(str(body.get("ownerSlug") or user), str(body.get("datasetSlug") or "")))
        if not dataset or not _may_see(user, dataset) or self._is_hidden(dataset):
            raise denied("datasets.get")
        return dataset

    def _is_hidden(self, dataset: Document) -> bool:
        """A dataset that is quite new is answered like one that does not exist, to its owner too."""
        return self._age(dataset["versions"][0]) < self._processing / 2

    def _all(self) -> Iterator[Document]:
        for path in sorted((self._store.root / "datasets").glob("*/*.json")):
            if dataset := read(path):
                yield dataset

    def _path(self, owner: str, slug: str) -> Path:
        place = self._store.place("datasets", owner.lower(), slug)
        return place.with_name(place.name + ".json")

    def _folder(self, dataset: Document, number: int) -> Path:
        return self._store.place("datasets", dataset["owner"], dataset["slug"]) / str(number)

    def _zip(self, dataset: Document, number: int) -> Path:
        return self._folder(dataset, number).with_name(f"{number}.zip")


def _described_version(version: Document) -> Document:
    created = moment(version["created"])
    return {"versionNumber": version["number"], "creationDate": created, "versionNotes": version["notes"]}


def _may_see(user: str, dataset: Document) -> bool:
    return dataset["owner"] == user or not dataset["private"]


def _version(dataset: Document, body: Mapping[str, Any]) -> Document:
    asked = body.get("datasetVersionNumber")
    found = [version for version in dataset["versions"] if asked in (None, 0, version["number"])]
    if not found:
        raise Problem(404, "Not Found")
    version: Document = found[-1]
    return version
