"""The spec as it lies on this machine."""

import json
from pathlib import Path

from containerid.errors import RunFailed, UsageError
from containerid.job import SPEC_VERSION, Spec


def read(file: Path) -> Spec:
    """Read a spec.

    Raises:
        RunFailed: it cannot be read, or another version wrote it.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document.get("version", SPEC_VERSION) != SPEC_VERSION:
            raise RunFailed(f"the spec is version {document['version']}, and this package reads {SPEC_VERSION}")
        return Spec.from_dict(document)
    except (OSError, ValueError, TypeError, AttributeError, UsageError) as error:
        raise RunFailed(f"the spec {file.name} cannot be read ({error})") from error
