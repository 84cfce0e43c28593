"""What a session left, read without kagglesdk.

Its import takes longer than the answers do, and reading plain lists needs none of its types.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from containerid.crew import at_once
from containerid.errors import Unreachable
from containerid.kaggle.answers import File, without_nulls
from containerid.kaggle.wire import Wire

if TYPE_CHECKING:
    from requests import Response

_SERVICE = "kernels.KernelsApiService"
_PAGE_SIZE = 200


class Listing:
    """Lists and logs of ended sessions. Kernels are named `owner/slug`, versions by their number as text."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def outputs(self, kernel: str, version: str = "") -> list[File]:
        """The files that the session left, with fresh links and, where Kaggle gives them, sizes."""
        self._wire.credentials()
        both: tuple[Callable[[str, str], Any], ...] = (self._links, self.sizes)
        links, sizes = at_once(lambda ask: ask(kernel, version), both, len(both))
        return [File(name, url, sizes.get(name)) for name, url in links]

    def _links(self, kernel: str, version: str) -> list[tuple[str, str]]:
        listed = self._files("ListKernelSessionOutput", kernel, version)
        found = ((file.get("fileName"), file.get("url")) for file in listed)
        return list(dict.fromkeys((str(name), str(url)) for name, url in found if name and url))

    def sizes(self, kernel: str, version: str = "") -> dict[str, int]:
        """Name to size in bytes of every output."""
        files = self._files("ListKernelFiles", kernel, version)
        return {str(file["name"]): _number(file.get("size", 0)) for file in files if file.get("name")}

    def log(self, kernel: str, version: str = "") -> str:
        """The log that is kept, as Kaggle gives it; empty while the session runs. See `logs.read`."""
        body = self._wire.call(f"{_SERVICE}/ListKernelSessionOutput", _about(kernel, version))
        return str(body.get("log") or "")

    def stream(self, kernel: str, version: str = "", *, read: float) -> "Response":
        """The live log: server-sent events while the session runs, then JSON. Raises Transient while there is none.

        `read` is how many seconds of silence are borne. The caller closes the response.
        """
        query = {"versionLabel": f"v{version}"} if version else {}
        return self._wire.open(f"kernels/logs/stream/{kernel}", query=query, read=read)

    def _files(self, method: str, kernel: str, version: str) -> Iterator[Mapping[str, Any]]:
        """Page after page; a token that comes a second time would go on for ever, and ends it."""
        seen = {""}
        token = ""
        while True:
            request = {**_about(kernel, version), "pageSize": _PAGE_SIZE, "pageToken": token}
            body = without_nulls(self._wire.call(f"{_SERVICE}/{method}", request))
            files = body.get("files", [])
            if not isinstance(files, list):
                raise Unreachable(f"Kaggle gave an answer that cannot be read: files are {files!r:.80}", retryable=True)
            yield from (file for file in files if isinstance(file, dict))
            token = str(body.get("nextPageToken") or "")
            if token in seen:
                return
            seen.add(token)


def _about(kernel: str, version: str) -> dict[str, Any]:
    owner, _, slug = kernel.partition("/")
    # A bare number is answered with 404 (kaggle 2.2.5, _kernel_version_label).
    label = {"versionLabel": f"v{version}"} if version else {}
    return {"userName": owner, "kernelSlug": slug, **label}


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise Unreachable(
            f"Kaggle gave an answer that cannot be read: a size is {value!r:.80}", retryable=True
        ) from error
