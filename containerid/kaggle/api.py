"""Kaggle's API as typed calls. The only importer of kagglesdk: its request and response types are the protocol.

`import kaggle` is never done: it signs in, over the network, at import.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import requests
from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest
from kagglesdk.datasets.types import dataset_api_service as datasets
from kagglesdk.kernels.types import kernels_api_service as kernels
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType, KernelsListViewType

from containerid.errors import NotFound, Refused, Unreachable, UsageError
from containerid.job import Status
from containerid.kaggle import answers
from containerid.kaggle.answers import File, Kernel, Pushed, Quota
from containerid.kaggle.credentials import Credentials
from containerid.kaggle.identity import introspect
from containerid.kaggle.listing import Listing
from containerid.kaggle.origin import KAGGLE, Origin
from containerid.kaggle.refusals import explain
from containerid.kaggle.wire import Wire

_KERNELS = "kernels.KernelsApiService"
_DATASETS = "datasets.DatasetApiService"
_SOURCES = ("Dataset", "Kernel", "Competition", "Model")


class Kaggle:
    """One Kaggle, seen by one user. Kernels and datasets are named `owner/slug`, versions by their number as text.

    Every method may raise CredentialsError (Kaggle does not take the credentials) and Unreachable (no answer, or one
    that is not Kaggle's). Reads are retried; a push, a deletion and the like are sent once.
    """

    def __init__(
        self, credentials: Credentials, origin: Origin = KAGGLE, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.origin = origin
        self.wire = Wire(origin, credentials, environ)
        self._listing = Listing(self.wire)
        self._name = credentials.username

    def whoami(self) -> str:
        """The user's name; Kaggle is asked once when the credentials do not hold it."""
        if not self._name:
            credentials = self.wire.credentials()
            self._name = credentials.username or introspect(self.wire.call, credentials)
        return self._name

    def push(self, metadata: Mapping[str, Any], source: str, *, session_limit: float | None = None) -> Pushed:
        """Save a kernel and start a session of it.

        Args:
            metadata: kernel-metadata.json, with the keys that Kaggle documents.
            source: the script.
            session_limit: seconds after which Kaggle stops the session; None for its own limit.

        Raises:
            Refused: Kaggle said no, and nothing was started.
            Unreachable: the answer was lost, and the push may have arrived. It is not sent a second time.
        """
        request = _save_request(metadata, source, session_limit)
        try:
            body = self.wire.call(f"{_KERNELS}/SaveKernel", request.to_dict(), again=False)
            answer = _read(kernels.ApiSaveKernelResponse, body)
            if answer.error or not answer.version_number:
                raise explain(200, answer.error or "the push was answered without a version")
        except (NotFound, UsageError) as error:
            raise Refused(error.message, hint=error.hint) from error
        kernel = answers.page_of(str(metadata["id"]), answer.url, answer.ref)
        missing = {kind.lower(): tuple(getattr(answer, f"invalid_{kind.lower()}_sources")) for kind in _SOURCES}
        return Pushed(
            kernel,
            int(answer.version_number),
            answer.url or f"{self.origin.pages}/code/{kernel}",
            {kind: names for kind, names in missing.items() if names},
        )

    def get(self, kernel: str, version: str = "") -> Kernel:
        """A kernel and its source. Raises NotFound when there is none, or it is not the user's to see."""
        request = _about(kernels.ApiGetKernelRequest(), kernel, version)
        answer = self._ask("GetKernel", request, kernels.ApiGetKernelResponse)
        if answer.metadata is None:
            raise Unreachable(f"Kaggle's answer about {kernel} is empty", retryable=True)
        source = answer.blob.source if answer.blob else None
        return replace(_kernel(answer.metadata), source=source or "")

    def mine(self, limit: int = 100) -> list[Kernel]:
        """The user's own kernels, the last one that ran first."""
        request = kernels.ApiListKernelsRequest()
        request.group = KernelsListViewType.PROFILE
        request.sort_by = KernelsListSortType.DATE_RUN
        request.kernel_type = request.language = request.output_type = "all"
        request.competition = request.dataset = request.parent_kernel = request.search = request.user = ""
        request.page, request.page_size, request.page_token = 1, min(limit, 100), ""
        found: list[Kernel] = []
        for page in self._pages("ListKernels", request, kernels.ApiListKernelsResponse):
            found += [_kernel(each) for each in page.kernels]
            if len(found) >= limit:
                break
        return found[:limit]

    def status(self, kernel: str, version: str = "") -> Status:
        """How the session of this version stands. Raises NotFound, also while a new session is not yet to be seen."""
        request = _about(kernels.ApiGetKernelSessionStatusRequest(), kernel, version)
        return answers.read_status(self.wire.call(f"{_KERNELS}/GetKernelSessionStatus", request.to_dict()))

    def log(self, kernel: str, version: str = "") -> str:
        """See `Listing.log`."""
        return self._listing.log(kernel, version)

    def stream(self, kernel: str, version: str = "", *, read: float) -> requests.Response:
        """See `Listing.stream`."""
        return self._listing.stream(kernel, version, read=read)

    def outputs(self, kernel: str, version: str = "") -> list[File]:
        """See `Listing.outputs`."""
        return self._listing.outputs(kernel, version)

    def sizes(self, kernel: str, version: str = "") -> dict[str, int]:
        """See `Listing.sizes`."""
        return self._listing.sizes(kernel, version)

    def delete(self, kernel: str) -> None:
        """Delete a kernel with all its versions and outputs; a session that runs is stopped, and so is the billing."""
        request = _about(kernels.ApiDeleteKernelRequest(), kernel)
        _must_not_say(self.wire.call(f"{_KERNELS}/DeleteKernel", request.to_dict(), again=False), "errorMessage")

    def cancel(self, session: int) -> None:
        """Stop a session, by the id that only the session itself knows. Raises Refused."""
        request = kernels.ApiCancelKernelSessionRequest()
        request.kernel_session_id = session
        body = self.wire.call(f"{_KERNELS}/CancelKernelSession", request.to_dict(), again=False)
        _must_not_say(body, "errorMessage")

    def quota(self, accelerator: str = "gpu") -> Quota:
        """This week's hours of `gpu` or `tpu`."""
        body = self.wire.call(f"{_KERNELS}/GetAcceleratorQuotaStatistics", {})
        return replace(answers.read_quota(body, accelerator), origin=self.origin.pages, skew=self.wire.skew)

    def dataset_status(self, dataset: str) -> str:
        """A dataset's state in lower case, such as `ready`. Raises NotFound when there is none that the user sees."""
        request = datasets.ApiGetDatasetStatusRequest()
        request.owner_slug, request.dataset_slug = split(dataset)
        body = self.wire.call(f"{_DATASETS}/GetDatasetStatus", request.to_dict())
        return str(body.get("status") or "not_yet_persisted").lower()

    def create_dataset(self, dataset: str, title: str, tokens: list[str], description: str = "") -> None:
        """Create a private dataset from uploaded files. Raises Refused, also when the name is taken."""
        request = datasets.ApiCreateDatasetRequest()
        request.owner_slug, request.slug = split(dataset)
        request.title, request.license_name, request.is_private = title, "other", True
        request.files, request.description = [_new_file(token) for token in tokens], description or None
        _must_not_say(self.wire.call(f"{_DATASETS}/CreateDataset", request.to_dict(), again=False), "error")

    def create_dataset_version(self, dataset: str, notes: str, tokens: list[str], *, last: bool = False) -> None:
        """Give a dataset a new version of these uploaded files, with `last` the only one left. Raises Refused."""
        request = datasets.ApiCreateDatasetVersionRequest()
        request.owner_slug, request.dataset_slug = split(dataset)
        body = datasets.ApiCreateDatasetVersionRequestBody()
        body.version_notes, body.files, body.delete_old_versions = notes, [_new_file(token) for token in tokens], last
        request.body = body
        _must_not_say(self.wire.call(f"{_DATASETS}/CreateDatasetVersion", request.to_dict(), again=False), "error")

    def start_upload(self, path: Path) -> tuple[str, str]:
        """Announce a file for a dataset: the token that stands for it, and the address that takes its bytes."""
        request = ApiStartBlobUploadRequest()
        request.type = ApiBlobType.DATASET
        request.name, stat = path.name, path.stat()
        request.content_length, request.last_modified_epoch_seconds = stat.st_size, int(stat.st_mtime)
        body = self.wire.call("blobs.BlobApiService/StartBlobUpload", request.to_dict())
        token, address = body.get("token"), body.get("createUrl")
        if not (token and address):
            raise Unreachable(f"Kaggle did not say where {path.name} can be sent", retryable=True)
        return str(token), str(address)

    def _ask(self, method: str, request: Any, kind: Any) -> Any:
        return _read(kind, self.wire.call(f"{_KERNELS}/{method}", request.to_dict()))

    def _pages(self, method: str, request: Any, kind: Any) -> Iterator[Any]:
        """Page after page; a token that comes a second time would go on for ever, and ends it."""
        seen: set[str] = set()
        while True:
            page = self._ask(method, request, kind)
            yield page
            token = page.next_page_token
            if not token or token in seen:
                return
            seen.add(token)
            request.page_token = token


def split(name: str) -> tuple[str, str]:
    """`owner/slug` in two. Raises UsageError for anything else."""
    owner, slash, slug = name.partition("/")
    if not (owner and slash and slug) or "/" in slug:
        raise UsageError(f"{name} is not of the form owner/slug")
    return owner, slug


def _about(request: Any, kernel: str, version: str = "") -> Any:
    request.user_name, request.kernel_slug = split(kernel)
    if version:
        # A bare number is answered with 404 (kaggle 2.2.5, _kernel_version_label).
        request.version_label = f"v{version}"
    return request


def _read(kind: Any, body: Mapping[str, Any]) -> Any:
    try:
        return kind.from_dict(answers.without_nulls(body))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise Unreachable(f"Kaggle gave an answer that cannot be read: {error}", retryable=True) from error


def _must_not_say(body: Mapping[str, Any], key: str) -> None:
    if said := body.get(key):
        raise explain(200, str(said))


def _new_file(token: str) -> Any:
    file = datasets.ApiDatasetNewFile()
    file.token = token
    return file


def _kernel(metadata: Any) -> Kernel:
    return Kernel(
        kernel=metadata.ref.removeprefix("/code/"),
        title=metadata.title,
        version=int(metadata.current_version_number or 0),
        private=metadata.is_private is not False,
        gpu=bool(metadata.enable_gpu),
        internet=bool(metadata.enable_internet),
        shape=metadata.machine_shape or "",
        datasets=tuple(metadata.dataset_data_sources),
        ran=metadata.last_run_time and metadata.last_run_time.replace(tzinfo=UTC),
    )


def _save_request(metadata: Mapping[str, Any], source: str, session_limit: float | None) -> Any:
    """The request that Kaggle's own CLI builds from this metadata, field by field."""
    request = kernels.ApiSaveKernelRequest()
    request.id, request.slug = metadata.get("id_no"), metadata.get("id")
    request.new_title, request.text = metadata.get("title"), source
    request.language, request.kernel_type = metadata.get("language"), metadata.get("kernel_type")
    request.is_private = _truth(metadata, "is_private", otherwise=True)
    request.enable_gpu = _truth(metadata, "enable_gpu", otherwise=False)
    request.enable_tpu = _truth(metadata, "enable_tpu", otherwise=False)
    request.enable_internet = _truth(metadata, "enable_internet", otherwise=True)
    request.dataset_data_sources = list(metadata.get("dataset_sources") or ())
    request.competition_data_sources = list(metadata.get("competition_sources") or ())
    request.kernel_data_sources = list(metadata.get("kernel_sources") or ())
    request.model_data_sources = list(metadata.get("model_sources") or ())
    request.category_ids = list(metadata.get("keywords") or ())
    request.docker_image_pinning_type = metadata.get("docker_image_pinning_type")
    request.docker_image = metadata.get("docker_image")
    request.machine_shape = metadata.get("machine_shape")
    if session_limit:
        request.session_timeout_seconds = int(session_limit)
    return request


def _truth(metadata: Mapping[str, Any], key: str, *, otherwise: bool) -> bool:
    value = metadata.get(key, otherwise)
    if str(value).lower() not in {"true", "false"}:
        raise UsageError(f"kernel-metadata.json: {key} is {value!r}, neither true nor false")
    return str(value).lower() == "true"
