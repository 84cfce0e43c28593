"""A secret on its way to a run: ciphertext in the spec, its key in a private dataset that is attached to that run.

The cipher is AES-256 in Galois/counter mode of the library `cryptography`, which Kaggle's image holds (PyDrive2 needs
it) and the kernel installs where it is missing. Run and name are authenticated with each value: the ciphertext of one
run does not open in another.
"""

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

VERSION = "cid1"
KEY_BYTES = 32
_NONCE = 12
_SEALED = re.compile(r"cid1:([\w.-]+/[\w.-]+):([0-9a-f]{16}):([\w-]+=*)", re.ASCII)


class CannotOpen(Exception):
    """The value stays closed; the message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value that was sealed for one run.

    Attributes:
        dataset: `owner/slug` of the dataset that holds the key.
        key_id: which key.
        content: nonce and ciphertext.
    """

    dataset: str
    key_id: str
    content: bytes

    def __str__(self) -> str:
        """As it stands in a spec."""
        return f"{VERSION}:{self.dataset}:{self.key_id}:{base64.urlsafe_b64encode(self.content).decode()}"

    @classmethod
    def read(cls, text: str) -> "Sealed":
        """What `str` gave. Raises CannotOpen for anything else."""
        if not (match := _SEALED.fullmatch(text)):
            raise CannotOpen("it was not sealed by this version of cid")
        return cls(match[1], match[2], base64.urlsafe_b64decode(match[3]))


def key_id(key: bytes) -> str:
    """A key's name, 16 hex digits, which tells nothing about it."""
    return hashlib.sha256(b"containerid vault key\0" + key).hexdigest()[:16]


def key_file(identity: str) -> str:
    """The name of the file in the dataset that holds this key, in base64."""
    return f"{identity}.key"


def seal(value: str, *, name: str, run: str, key: bytes, dataset: str) -> Sealed:
    """Close a value for one run.

    Args:
        value: the secret.
        name: of the secret; the same must be given to open it.
        run: the run's id; likewise.
        key: 32 bytes.
        dataset: where the run finds the key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    closed = AESGCM(key).encrypt(nonce, value.encode(), _bound(name, run))
    return Sealed(dataset, key_id(key), nonce + closed)


def unseal(text: str, *, name: str, run: str, mounts: Path) -> str:
    """Open a value of a spec with the key that is mounted. The key is read where it lies, and never copied.

    Raises:
        CannotOpen: the key is not there, is another one, or the ciphertext belongs elsewhere or was changed.
    """
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise CannotOpen(f"the library cryptography cannot be imported ({error})") from error
    sealed = Sealed.read(text)
    key = _key(sealed, mounts)
    try:
        nonce, closed = sealed.content[:_NONCE], sealed.content[_NONCE:]
        return AESGCM(key).decrypt(nonce, closed, _bound(name, run)).decode()
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("the ciphertext was made for another run or name, or was changed") from error


def _key(sealed: Sealed, mounts: Path) -> bytes:
    slug = sealed.dataset.partition("/")[2]
    folders = (mounts / "datasets" / sealed.dataset, mounts / slug)
    found = next((each for each in folders if each.is_dir()), None)
    if found is None:
        raise CannotOpen(f"the dataset {sealed.dataset}, which holds the key, is not attached")
    try:
        key = base64.b64decode((found / key_file(sealed.key_id)).read_bytes(), validate=True)
    except (OSError, ValueError) as error:
        raise CannotOpen(f"{sealed.dataset} does not hold this run's key: it was changed since the submit") from error
    if key_id(key) != sealed.key_id:
        raise CannotOpen(f"the key in {sealed.dataset} is not the one that its name says")
    return key


def _bound(name: str, run: str) -> bytes:
    return f"{run}\0{name}".encode()
