"""A spec becomes a kernel: its source, its kernel-metadata.json, and what rides along. Nothing here talks to anybody.

The source holds one literal, all else in it is the same in every kernel: no text of the user's stands anywhere but in
that literal, and it is read back before the source is given out.
"""

import ast
import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from containerid.errors import CidError, UsageError
from containerid.job import Spec
from containerid.kaggle.package import ours
from containerid.training.sealed import Sealed

if TYPE_CHECKING:
    from jinja2 import Template

CODE_FILE = "kernel.py"
METADATA_FILE = "kernel-metadata.json"
SOURCE_LIMIT = 1_000_000
"""Bytes of source that Kaggle takes."""

EMBED_LIMIT = 930_000
"""Bytes of source up to which the code rides along: what Kaggle counts is not documented to the byte."""

_SHORTEST = 5


class SourceTooLarge(UsageError):
    """A kernel's source is larger than Kaggle, or its transport, takes. Exit 2.

    Attributes:
        size: bytes of the source.
        limit: bytes that it may have.
        transport: the one to use instead; empty when no transport would help.
    """

    def __init__(self, size: int, limit: int, transport: str) -> None:
        hint = f"cid train --transport {transport}" if transport else "shorten params.yaml"
        super().__init__(f"the kernel's source is {size:,} bytes, {limit:,} is the limit", hint=hint)
        self.size = size
        self.limit = limit
        self.transport = transport


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelOptions:
    """How Kaggle is to run a kernel.

    Attributes:
        owner: the account's user name.
        accelerator: Kaggle's `machine_shape`; not sent without a GPU.
        gpu: ask for a GPU.
        internet: let the kernel reach the network.
        private: only the owner sees it.
        dataset_sources: `owner/slug` of datasets to attach, beside those that the spec names.
        competition_sources: slugs of competitions to attach.
        kernel_sources: `owner/slug` of kernels whose outputs are attached.
        model_sources: `owner/slug/framework/variation/version` of models to attach.
        slug: the kernel's name; one of the run's own when empty.
    """

    owner: str
    accelerator: str = "NvidiaTeslaT4"
    gpu: bool = True
    internet: bool = True
    private: bool = True
    dataset_sources: tuple[str, ...] = ()
    competition_sources: tuple[str, ...] = ()
    kernel_sources: tuple[str, ...] = ()
    model_sources: tuple[str, ...] = ()
    slug: str = ""


def slug(run: str, leg: int = 1, chosen: str = "") -> str:
    """The kernel's name for a run: `cid-<run>` as Kaggle writes names, so that title and slug are one.

    Each later leg is a kernel of its own, `cid-<run>-l2` and so on, which attaches the outputs of the one before.
    """
    from slugify import slugify

    return (chosen or str(slugify(f"cid-{run}"))) + (f"-l{leg}" if leg > 1 else "")


def metadata(spec: Spec, options: KernelOptions) -> dict[str, Any]:
    """The document kernel-metadata.json, with Kaggle's documented keys and no others.

    Raises:
        UsageError: Kaggle would make another slug of this name, and the kernel would not be found under its own.
    """
    name = slug(spec.run, spec.leg, options.slug)
    _check_name(name)
    return {
        "id": f"{options.owner}/{name}",
        "title": name,
        "code_file": CODE_FILE,
        "language": "python",
        "kernel_type": "script",
        "is_private": options.private,
        "enable_gpu": options.gpu,
        "enable_tpu": False,
        "enable_internet": options.internet,
        "machine_shape": options.accelerator if options.gpu else "",
        "dataset_sources": _datasets(spec, options),
        "competition_sources": list(options.competition_sources),
        "kernel_sources": list(dict.fromkeys([*_past(spec, "kernel"), *options.kernel_sources])),
        "model_sources": list(options.model_sources),
        "keywords": [],
    }


def render(spec: Spec, *, code: bytes = b"", package: bytes = b"", control: Mapping[str, Any] | None = None) -> str:
    """The kernel's source: ASCII, ready to be pushed.

    Args:
        spec: goes into the source as it is.
        code: the tar.xz of the code, for the transport `embed` alone.
        package: what `containerid.kaggle.package.gather` gives, for code that does not hold containerid itself.
        control: where the kernel looks whether it was asked to stop; see `containerid.kaggle.control`.

    Raises:
        SourceTooLarge: another transport, or a smaller spec, is needed.
        CidError: what rides along is not what the spec says; a defect of the caller.
    """
    _check_cargo(spec, code, package)
    cargo: dict[str, Any] = {"spec": spec.to_dict(), "package": _base85(package), "code": _base85(code)}
    cargo |= {"control": dict(control)} if control else {}
    text = json.dumps(cargo)
    source = _template().render(cargo=ascii(text))
    if json.dumps(read_cargo(source)) != text:
        raise CidError("the kernel's source does not give back what was put into it")
    _check_size(spec, len(source.encode()))
    return source


def read_cargo(source: str) -> dict[str, Any]:
    """What a kernel's source carries: `spec`, and `package` and `code` as base85.

    Raises:
        CidError: no containerid wrote this source.
    """
    try:
        tree = ast.parse(source, CODE_FILE)
        compile(tree, CODE_FILE, "exec")
        literal = next(_cargo_literals(tree))
        cargo: dict[str, Any] = json.loads(ast.literal_eval(literal))
    except (SyntaxError, ValueError, StopIteration) as error:
        raise CidError(f"this is not the source of a kernel of cid: {error or 'it carries nothing'}") from error
    return cargo


def _check_name(name: str) -> None:
    from slugify import slugify

    if slugify(name) != name or len(name) < _SHORTEST:
        raise UsageError(
            f"Kaggle cannot call a kernel {name!r}",
            hint=f"at least {_SHORTEST} small letters, digits and dashes, such as --slug {slug(name)}",
        )


def _datasets(spec: Spec, options: KernelOptions) -> list[str]:
    """What the spec names and what was asked for, each once."""
    data = [spec.data.source] if spec.data.provider == "kaggle" else []
    code = [spec.code.dataset] if spec.code.transport == "dataset" else []
    keys = [Sealed.read(each).dataset for each in spec.secrets.values() if each]
    return list(dict.fromkeys([*data, *code, *keys, *_past(spec, "dataset"), *options.dataset_sources]))


def _past(spec: Spec, kind: str) -> list[str]:
    return [spec.past.source] if spec.past.kind == kind else []


def _check_cargo(spec: Spec, code: bytes, package: bytes) -> None:
    if spec.code.transport == "embed" and hashlib.sha256(code).hexdigest() != spec.code.digest:
        raise CidError("the code archive is not the one that the spec names")
    if spec.code.transport != "embed" and code:
        raise CidError(f"the transport {spec.code.transport} carries no code in the kernel's source")
    if spec.code.holds_package == bool(package):
        raise CidError("containerid rides along exactly when the code does not hold it")


def _check_size(spec: Spec, size: int) -> None:
    embeds = spec.code.transport == "embed"
    limit = EMBED_LIMIT if embeds else SOURCE_LIMIT
    if size > limit:
        other = "fetch" if spec.code.remote else "dataset"
        raise SourceTooLarge(size, limit, other if embeds else "")


def _base85(content: bytes) -> str:
    """Denser than base64 by 7 %, and without a character that a string literal would have to escape."""
    return base64.b85encode(content).decode("ascii")


def _cargo_literals(tree: ast.Module) -> Iterator[ast.expr]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name("CARGO")], value=ast.Call(args=[ast.Constant() as literal])):
                yield literal


def _template() -> "Template":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_load),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - the one value that goes in is a Python literal already
        keep_trailing_newline=True,
    )
    return environment.get_template("templates/kernel.py.j2")


def _load(name: str) -> str:
    text = ours(name).read_text(encoding="utf-8")
    return text if name.endswith(".j2") else "{% raw %}" + _alone(text) + "{% endraw %}"


def _alone(text: str) -> str:
    """A module without its imports of ours: in the kernel's source, what they name stands above it."""
    lines = text.splitlines()
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "containerid":
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip()
