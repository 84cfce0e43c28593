"""How models are versioned."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from containerid.config.rules import Rule, word
from containerid.config.sections import Section, obeys


def _inside(value: Any) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or not path.name or ".." in path.parts or path.parts[0] in {".git", ".dvc"}:
        raise ValueError
    return path.as_posix()


class Versioning(Section):
    """How models are versioned.

    Attributes:
        promote: `on-pass` promotes a run that met its gates as soon as it was fetched; `never` leaves it to you.
        from_kernel: whether a run elsewhere pushes its model itself: `on-pass` one that met its gates, `always` each
            that was trained and evaluated, `never` none.
        path: the folder of the promoted model, from the project's; its last part begins the names of versions, and is
            `classification` for a classifier where it would be `detection`.
    """

    promote: Annotated[Literal["never", "on-pass"], obeys(word("never", "on-pass"))] = "never"
    from_kernel: Annotated[Literal["never", "on-pass", "always"], obeys(word("never", "on-pass", "always"))] = "never"
    path: Annotated[str, obeys(Rule("a folder in the project such as `weights/detection`", _inside))] = (
        "weights/detection"
    )

    def pushes(self, *, gates: bool) -> bool:
        """Whether a run elsewhere may come to push its model itself; `gates`: its experiment has some."""
        return self.from_kernel == "always" or (self.from_kernel == "on-pass" and gates)

    def folder(self, task: str) -> str:
        """The folder of a model of this task."""
        path = PurePosixPath(self.path)
        other = task == "classify" and path.name == "detection"
        return (path.with_name("classification") if other else path).as_posix()
