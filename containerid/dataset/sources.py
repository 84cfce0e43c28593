"""Where the annotations of a source are, in which format, and what each format gives for each task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from containerid.dataset import coco, folders, markup
from containerid.dataset.classes import is_sorted
from containerid.dataset.gathered import Refused
from containerid.dataset.images import is_image
from containerid.dataset.sets import find_yaml
from containerid.dataset.tasks import CLASSIFY, DETECT, OBB, POSE, SEGMENT
from containerid.dataset.tree import walk
from containerid.dataset.yamlfile import DatasetError

AUTO, VOC, COCO, CVAT, YOLO, FOLDERS = "auto", "voc", "coco", "cvat", "yolo", "folders"
FORMATS = (VOC, COCO, CVAT, YOLO, FOLDERS)
_CROPS = "each box, cut out"
GIVES: Mapping[str, Mapping[str, str]] = {
    VOC: {DETECT: "boxes", CLASSIFY: _CROPS},
    COCO: {
        DETECT: "boxes, or what surrounds an area",
        SEGMENT: "polygons and masks",
        POSE: "keypoints",
        OBB: "CVAT's turned boxes, polygons of four corners, what surrounds an area",
        CLASSIFY: _CROPS,
    },
    CVAT: {
        DETECT: "boxes, or what surrounds an area",
        SEGMENT: "polygons, masks and ellipses",
        POSE: "skeletons",
        OBB: "turned boxes, polygons of four corners, what surrounds an area",
        CLASSIFY: _CROPS,
    },
    YOLO: {
        DETECT: "boxes, or what surrounds an area",
        SEGMENT: "polygons",
        POSE: "keypoints, with kpt_shape in data.yaml",
        OBB: "four corners",
        CLASSIFY: _CROPS,
    },
    FOLDERS: {CLASSIFY: "a folder for each class"},
}
"""What each source gives for each task; a task that is not there is refused."""
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_KNOWN = "Pascal VOC's .xml, COCO's .json, CVAT's annotations.xml, or .txt labels beside images or in labels/"


@dataclass(frozen=True, slots=True)
class Found:
    """Where annotations are.

    Attributes:
        form: one of `FORMATS`.
        root: the folder that images are looked for in.
        files: annotations; empty where they are to be found image by image.
    """

    form: str
    root: Path
    files: tuple[Path, ...] = ()


def locate(source: Path, form: str = AUTO, task: str = DETECT) -> Found:
    """Find the annotations.

    Args:
        source: a folder, or a file of annotations; absolute.
        form: one of `FORMATS`, or `auto`.
        task: one of `tasks.TASKS`; empty where the labels are to tell.

    Raises:
        Refused: there are none, of several formats, or none that give what the task needs.
    """
    found = _locate(source, form, task)
    if task and task not in GIVES[found.form]:
        lacks = {FOLDERS: "no boxes, only a folder for each class", VOC: "boxes alone"}[found.form]
        fix = f"--task {'|'.join(GIVES[found.form])}" + (
            "" if found.form == FOLDERS else ", or an export as COCO or CVAT"
        )
        raise Refused([DatasetError(source, 0, f"holds {lacks}: nothing for --task {task}", fix)])
    return found


def _locate(source: Path, form: str, task: str) -> Found:
    if source.is_file():
        return _file(source, form)
    if not source.is_dir():
        raise Refused([DatasetError(source, 0, "is not there", "name a folder, or a file of annotations")])
    if task in {"", CLASSIFY} and form in {AUTO, YOLO, FOLDERS} and is_sorted(source):
        return Found(FOLDERS, source)
    if form != AUTO:
        return _named(source, form, task)
    found = {each: files for each in _SEEK if (files := _SEEK[each](source, task)) is not None}
    if len(found) == 2 and YOLO in found and not find_yaml(source):
        # Texts beside better-described annotations are mostly lists.
        del found[YOLO]
    if not found and folders.is_source(source):
        return Found(FOLDERS, source)
    if not found:
        packed = sorted(each.name for each in source.iterdir() if each.suffix.lower() in _ARCHIVES)
        fix = f"unpack {packed[0]}, and name the folder" if packed else f"it needs {_KNOWN}"
        raise Refused([DatasetError(source, 0, "holds no annotations that are known", fix)])
    if len(found) > 1:
        message = f"holds annotations of {' and of '.join(found)}"
        raise Refused([DatasetError(source, 0, message, f"say which: --format {next(iter(found))}")])
    return Found(*next((each, source, files) for each, files in found.items()))


def _named(source: Path, form: str, task: str) -> Found:
    """The annotations of one format in a folder."""
    if form == CVAT and (source / "obj.data").is_file():
        form = YOLO
    files = None if form == FOLDERS else _SEEK[form](source, task)
    if files is None and form in {FOLDERS, YOLO} and folders.is_source(source):
        return Found(FOLDERS, source)
    if files is None:
        other = "cid data import takes other formats" if form == YOLO else "leave --format out"
        fix = f"name the folder that holds them, or {other}"
        raise Refused([DatasetError(source, 0, f"holds no annotations of {form}", fix)])
    return Found(form, source, files)


def _file(source: Path, form: str) -> Found:
    suffix = source.suffix.lower()
    if suffix in _ARCHIVES:
        raise Refused([DatasetError(source, 0, "is an archive", "unpack it, and name the folder")])
    around = source.parent.parent if source.parent.name.lower() == "annotations" else source.parent
    if suffix == ".json" and form in {AUTO, COCO}:
        return Found(COCO, around, (source,))
    if suffix in {".yaml", ".yml"} and form in {AUTO, YOLO}:
        return Found(YOLO, source.parent, (source,))
    tag = markup.tag_of(source) if suffix == ".xml" else ""
    if tag == "annotations" and form in {AUTO, CVAT}:
        return Found(CVAT, around, (source,))
    if tag == "annotation" and form in {AUTO, VOC}:
        raise Refused([DatasetError(source, 0, "is one annotation of Pascal VOC", f"name its folder: {source.parent}")])
    raise Refused([DatasetError(source, 0, "is no file of annotations that is known", f"it needs {_KNOWN}")])


def _voc(root: Path, _task: str) -> tuple[Path, ...] | None:
    found = [path for path in _ending(root, ".xml") if markup.tag_of(path) != "annotations"]
    # A file that cannot be read is a fault among annotations, and nothing by itself.
    return tuple(found) if any(markup.tag_of(path) == "annotation" for path in found) else None


def _coco(root: Path, task: str) -> tuple[Path, ...] | None:
    return tuple(coco.files(root, task)) or None


def _cvat(root: Path, _task: str) -> tuple[Path, ...] | None:
    return tuple(path for path in _ending(root, ".xml") if markup.tag_of(path) == "annotations") or None


def _yolo(root: Path, _task: str) -> tuple[Path, ...] | None:
    if file := find_yaml(root):
        return (file,)
    if (root / "obj.data").is_file():
        return ()
    labels = {path.stem for path in _ending(root, ".txt")}
    return () if any(path.stem in labels for path in _files(root) if is_image(path.name)) else None


_SEEK: Mapping[str, Callable[[Path, str], tuple[Path, ...] | None]] = {
    VOC: _voc,
    COCO: _coco,
    CVAT: _cvat,
    YOLO: _yolo,
}


def _files(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, files, _ in walk(str(root)) for name in files if not name.startswith(".")]


def _ending(root: Path, suffix: str) -> list[Path]:
    found = [path for path in _files(root) if path.suffix.lower() == suffix]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())
