"""The experiments of a file: the base section with each laid over it, and what is wrong with each alone."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from containerid.config.faults import Fault, located, no_section
from containerid.config.layers import Layer, merge, of_file
from containerid.config.params import Params
from containerid.config.rules import suggestion
from containerid.config.yamlfile import Document

BASE = ""
"""The name of the base section among the layers."""
SECTION = "experiments"
DEFAULT = "default_experiment"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def layers(document: Document, name: str) -> dict[str, Layer]:
    """The base section, and every experiment laid over it, by their names.

    Args:
        document: the file; its value is a mapping.
        name: of the file.
    """
    base = of_file(document, ("detection",), name)
    experiments = document.value.get(SECTION)
    written = experiments if isinstance(experiments, dict) else {}
    return {BASE: base} | {each: merge(base, _experiment(document, each, name, written[each])) for each in written}


def owns(fault: Fault) -> bool:
    """Whether it lies inside an experiment."""
    return fault.origin.path.startswith(f"{SECTION}.")


def faults_of(layer: Layer) -> list[Fault]:
    """All that is wrong with it."""
    found = Params.check(layer.value)
    return layer.faulty([] if isinstance(found, Params) else found)


def faults(layers: Mapping[str, Layer], known: Collection[Fault] = ()) -> dict[str, list[Fault]]:
    """What is wrong with each experiment that is not right, but for faults that are known."""
    found = {name: [it for it in faults_of(layer) if it not in known] for name, layer in layers.items() if name}
    return {name: [_claimed(it, name) for it in each] for name, each in found.items() if each}


def default_faults(document: Document, name: str) -> list[Fault]:
    """What is wrong with `default_experiment`: no experiment is called so."""
    default, experiments = document.value.get(DEFAULT), document.value.get(SECTION)
    known = list(experiments) if isinstance(experiments, dict) else []
    if not isinstance(default, str) or default in known:
        return []
    reason = f"no experiment is called `{default}`{suggestion(default, known)}"
    return located([((DEFAULT,), reason)], of_file(document, (), name).origins)


def _experiment(document: Document, experiment: str, name: str, written: object) -> Layer:
    layer = of_file(document, (SECTION, experiment), name)
    layer.value.pop("description", None)
    faults = located((((), reason) for reason in _reasons(experiment, written)), layer.origins)
    return replace(layer, faults=(*layer.faults, *faults))


def _reasons(experiment: str, written: object) -> Iterator[str]:
    if not _NAME.fullmatch(experiment):
        yield "must be letters, digits, `-`, `_` or `.`, 64 at most"
    if written is not None and not isinstance(written, dict):
        yield no_section(written)


def _claimed(fault: Fault, experiment: str) -> Fault:
    """A fault of what the base section says is one of this experiment alone: there it does not fit."""
    return fault if owns(fault) else replace(fault, reason=f"{fault.reason} (in {experiment})")
