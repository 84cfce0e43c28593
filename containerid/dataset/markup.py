"""XML as annotations use it, with the line of every element. What could grow or reach outside is refused."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from containerid.dataset.yamlfile import DatasetError


@dataclass(slots=True)
class Node:
    """An element.

    Attributes:
        tag: its name.
        attributes: as written.
        line: 1-based.
        text: what stands right in it.
        children: elements in it.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def find(self, *path: str) -> "Node | None":
        """The first element below it that a path of tags leads to."""
        node: Node | None = self
        for tag in path:
            node = next((each for each in node.children if each.tag == tag), None) if node else None
        return node

    def all(self, tag: str) -> list["Node"]:
        """The elements in it of one tag."""
        return [each for each in self.children if each.tag == tag]

    def word(self, *path: str) -> str:
        """The text at the end of a path, without white space around it; empty when there is none."""
        node = self.find(*path)
        return node.text.strip() if node else ""


class _Builder:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity
        self.root: Node | None = None
        self._open: list[Node] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, attributes, self.parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.append(node)
        self.root = self.root or node
        self._open.append(node)

    def _end(self, _tag: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def _entity(self, name: str, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise DatasetError(
            self.file, line, f"declares an entity, {name}: no annotation needs one", "remove the DOCTYPE"
        )


def read(file: Path) -> Node:
    """The root element of an XML file.

    Raises:
        DatasetError: it cannot be read, is no XML, or declares entities, which can fill any memory.
    """
    builder = _Builder(file)
    try:
        builder.parser.Parse(file.read_bytes(), True)
    except OSError as error:
        raise DatasetError(file, 0, f"cannot be read ({error.strerror})") from error
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "broken")
        raise DatasetError(file, error.lineno, f"is not valid XML: {reason}", "export it anew") from error
    except (LookupError, ValueError) as error:
        raise DatasetError(file, 1, f"is in an encoding that is not known: {error}", "save it as UTF-8") from error
    assert builder.root is not None  # noqa: S101
    return builder.root


def tag_of(file: Path) -> str:
    """The root element's tag by the file's first bytes; empty when they are no XML."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: found.append(tag)
    try:
        with file.open("rb") as opened:
            parser.Parse(opened.read(8192))
    except (OSError, expat.ExpatError, LookupError, ValueError):
        pass
    return found[0] if found else ""
