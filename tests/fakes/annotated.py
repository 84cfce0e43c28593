"""The same few images and boxes as each tool would write them."""

import io
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

WIDE, HIGH = 200, 100
NAMES = ("door", "hinge")
Boxes = Mapping[str, Sequence[tuple[int, float, float, float, float]]]
BOXES: Boxes = {
    f"shot{number:02}": [
        *([(0, 10.0 + number, 20.0, 110.0 + number, 90.0)] if number % 5 else []),
        *([(1, 150.25, 5.5, 170.75, 33.125)] if number % 3 == 1 else []),
    ]
    for number in range(20)
}
"""Class, left, top, right and bottom in pixels, by the image's stem. shot00, shot05 and so on may have none."""


def picture(seed: int, size: tuple[int, int] = (WIDE, HIGH)) -> bytes:
    """A JPEG of coloured patches that looks like no other seed's."""
    chance = random.Random(seed)
    patches = Image.frombytes("RGB", (12, 12), bytes(chance.randrange(256) for _ in range(12 * 12 * 3)))
    buffer = io.BytesIO()
    patches.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_images(folder: Path, boxes: Boxes = BOXES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, stem in enumerate(boxes):
        (folder / f"{stem}.jpg").write_bytes(picture(number))


def fractions(box: tuple[int, float, float, float, float]) -> tuple[float, ...]:
    """Class, centre, width and height, as YOLO has them."""
    label, left, top, right, bottom = box
    return (
        label,
        (left + right) / 2 / WIDE,
        (top + bottom) / 2 / HIGH,
        (right - left) / WIDE,
        (bottom - top) / HIGH,
    )


def voc_text(stem: str, objects: str, size: tuple[int, int] = (WIDE, HIGH), database: str = "Unknown") -> str:
    return (
        f"<annotation>\n<folder>x</folder><filename>{stem}.jpg</filename><path>C:\\pics\\{stem}.jpg</path>\n"
        f"<source><database>{database}</database></source>\n"
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>\n{objects}\n</annotation>\n"
    )


def voc_object(name: str, left: float, top: float, right: float, bottom: float, more: str = "") -> str:
    corners = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
    return f"<object><name>{name}</name>{more}<bndbox>{corners}</bndbox></object>"


def write_voc(root: Path, boxes: Boxes = BOXES) -> Path:
    write_images(root / "JPEGImages", boxes)
    (root / "Annotations").mkdir()
    for stem, found in boxes.items():
        objects = "\n".join(voc_object(NAMES[label], *corners) for label, *corners in found)
        (root / "Annotations" / f"{stem}.xml").write_text(voc_text(stem, objects), encoding="utf-8")
    return root


def coco_document(boxes: Boxes = BOXES) -> dict[str, list[dict[str, object]]]:
    """Category ids 3 and 7, with a gap."""
    images, annotations = [], []
    for number, (stem, found) in enumerate(boxes.items(), 100):
        images.append({"id": number, "file_name": f"{stem}.jpg", "width": WIDE, "height": HIGH})
        for label, left, top, right, bottom in found:
            box = [left, top, right - left, bottom - top]
            key, category = len(annotations) + 1, (3, 7)[label]
            annotations.append({"id": key, "image_id": number, "category_id": category, "bbox": box, "iscrowd": 0})
    categories = [{"id": 7, "name": "hinge"}, {"id": 3, "name": "door"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, boxes: Boxes = BOXES) -> Path:
    write_images(root / "images", boxes)
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_default.json").write_text(json.dumps(coco_document(boxes)), encoding="utf-8")
    return root


def cvat_text(boxes: Boxes = BOXES, more: str = "") -> str:
    labels = "".join(f"<label><name>{name}</name><type>any</type></label>" for name in NAMES)
    lines = ["<annotations><version>1.1</version>", f"<meta><task><labels>{labels}</labels></task></meta>"]
    for number, (stem, found) in enumerate(boxes.items()):
        lines.append(f'<image id="{number}" name="{stem}.jpg" width="{WIDE}" height="{HIGH}">')
        for label, left, top, right, bottom in found:
            corners = f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
            lines.append(f'<box label="{NAMES[label]}" occluded="0" {corners} z_order="0"></box>')
        lines.append("</image>")
    return "\n".join([*lines, more, "</annotations>"])


def write_cvat(root: Path, boxes: Boxes = BOXES) -> Path:
    write_images(root / "images", boxes)
    (root / "annotations.xml").write_text(cvat_text(boxes), encoding="utf-8")
    return root


def yolo_text(found: Sequence[tuple[int, float, float, float, float]]) -> str:
    return "".join(f"{' '.join(f'{value:.9g}' for value in fractions(box))}\n" for box in found)


def write_yolo(root: Path, boxes: Boxes = BOXES) -> Path:
    """Images, labels beside them, and the classes' names."""
    write_images(root, boxes)
    for stem, found in boxes.items():
        (root / f"{stem}.txt").write_text(yolo_text(found), encoding="utf-8")
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES), encoding="utf-8")
    return root


def write_cvat_yolo(root: Path, boxes: Boxes = BOXES) -> Path:
    """What CVAT calls YOLO 1.1."""
    data = root / "obj_train_data"
    write_yolo(data, boxes)
    (data / "classes.txt").unlink()
    (root / "obj.names").write_text("".join(f"{name}\n" for name in NAMES), encoding="utf-8")
    settings = "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    (root / "obj.data").write_text(settings, encoding="utf-8")
    listed = "".join(f"data/obj_train_data/{stem}.jpg\n" for stem in boxes)
    (root / "train.txt").write_text(listed, encoding="utf-8")
    return root


WRITERS = {
    "voc": write_voc,
    "coco": write_coco,
    "cvat": write_cvat,
    "yolo": write_yolo,
    "cvat-yolo": write_cvat_yolo,
}


def labels_of(folder: Path) -> dict[str, list[tuple[float, ...]]]:
    """Every label of a set, by its stem."""
    return {
        path.stem: [tuple(map(float, line.split())) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob("labels/*/*.txt"))
    }
