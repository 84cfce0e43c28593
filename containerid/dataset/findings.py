"""What a check says: findings, each at its place, and the report that holds them."""

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

SEVERITIES = ERROR, WARNING, INFO = "error", "warning", "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or unusual.

    Attributes:
        path: relative to the set, POSIX.
        line: 1-based; 0 when it is the file as a whole.
        kind: a fixed word for programs, such as `label-class`.
        severity: `error` stops a run; `warning` and `info` do not.
        message: what is wrong.
        fix: what to do.
    """

    path: str
    line: int
    kind: str
    severity: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        """`path:line: severity: message`, as compilers write it."""
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.severity}: {self.message}"

    @property
    def order(self) -> tuple[int, str, int]:
        """The worst first, then by place."""
        return SEVERITIES.index(self.severity), self.path, self.line


@dataclass(slots=True)
class Report:
    """What a check found.

    Attributes:
        findings: the worst first, then by path and line.
        counts: per split `images`, `labels`, `boxes` and `backgrounds` (images without a box).
        classes: boxes per class name, over all splits; images, of a classification set.
        sorted: per split the images of each class; of a classification set alone.
        sizes: `smallest` and `largest` image by area, as [width, height] in pixels; empty when none is known.
        decoded: images whose every pixel was decoded; 0 when only their structure was looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    decoded: int = 0
    sorted: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def errors(self) -> list[Finding]:
        """The findings that stop a run."""
        return [each for each in self.findings if each.severity == ERROR]

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [each for each in self.findings if each.kind == kind]

    @property
    def verdict(self) -> str:
        """The first error and how many more there are; empty for a set that can be used."""
        errors = self.errors
        if not errors:
            return ""
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        return f"the data cannot be used: {errors[0]}{more}"

    def document(self) -> dict[str, Any]:
        """Plain JSON types: `findings`, `counts` by severity and by kind, and what the set holds."""
        severities = Counter(each.severity for each in self.findings)
        return {
            "findings": [asdict(each) for each in self.findings],
            "counts": {word: severities[word] for word in SEVERITIES},
            "kinds": dict(Counter(each.kind for each in self.findings).most_common()),
            "splits": self.counts,
            "classes": self.classes,
            "sizes": self.sizes,
            "decoded": self.decoded,
            **({"sorted": self.sorted} if self.sorted else {}),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Report":
        """Read back what `document` gave."""
        findings = [Finding(**each) for each in document["findings"]]
        decoded, ordered = document["decoded"], document.get("sorted", {})
        return cls(findings, document["splits"], document["classes"], document["sizes"], decoded, ordered)


def relative(root: str, path: str) -> str:
    """A path as findings write it: from the set's folder, POSIX, and text even where a file's name is none."""
    inside = path[len(root) + 1 :] if path.startswith(root + os.sep) else os.path.relpath(path, root)
    posix = inside.replace(os.sep, "/")
    return posix if posix.isascii() else posix.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
