"""The same few objects as each tool would export them for each task. The images are those of `annotated`."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes import annotated as fake

STEMS = tuple(f"shot{number:02}" for number in range(10))
Points = Sequence[tuple[float, float]]
POLYGONS: Mapping[str, Points] = {
    stem: [(20.5 + at, 10), (90 + at, 15.25), (100, 60 + at), (60, 80), (25, 70)] for at, stem in enumerate(STEMS)
}
"""One on each image, in pixels."""
TURNS: Mapping[str, tuple[float, float, float, float, float]] = {
    stem: (80 + 2 * at, 50, 60, 24, 17 * at) for at, stem in enumerate(STEMS)
}
"""The middle, width, height and angle of a turned box on each image."""
BONES = ("nose", "left_ear", "right_ear", "tail")
POSES: Mapping[str, Sequence[tuple[float, float, int]]] = {
    stem: [(50 + at, 20, 2), (40, 30 + at, 2), (70, 30, 1), (0, 0, 0)] for at, stem in enumerate(STEMS)
}
"""x, y and visibility of each of `BONES` on each image."""


def corners_of(turn: tuple[float, float, float, float, float]) -> list[tuple[float, float]]:
    """The four corners, reckoned by complex numbers rather than as the code does."""
    x, y, wide, high, angle = turn
    way = complex(math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    found = [complex(x, y) + complex(*each) * way for each in _around(wide / 2, high / 2)]
    return [(each.real, each.imag) for each in found]


def _around(wide: float, high: float) -> Points:
    return (-wide, -high), (wide, -high), (wide, high), (-wide, high)


def flat(points: Points) -> list[float]:
    return [each for point in points for each in point]


def fractions(points: Points) -> list[float]:
    return [each / (fake.WIDE, fake.HIGH)[at % 2] for at, each in enumerate(flat(points))]


def images_of(folder: Path) -> None:
    fake.write_images(folder, dict.fromkeys(STEMS, ()))


# --- CVAT


def cvat_document(body: Mapping[str, str], labels: str) -> str:
    """CVAT for images 1.1, as version 2 writes it: attributes in each shape, and a lot of meta."""
    meta = (
        "<meta><job><id>3</id><size>10</size><mode>annotation</mode><overlap>0</overlap><bugtracker></bugtracker>"
        "<created>2026-11-02 10:04:51.315371+00:00</created><subset>default</subset><start_frame>0</start_frame>"
        f"<stop_frame>9</stop_frame><labels>{labels}</labels><segments></segments></job><dumped>x</dumped></meta>"
    )
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>", meta]
    for number, (stem, shapes) in enumerate(body.items()):
        lines.append(f'  <image id="{number}" name="{stem}.jpg" width="{fake.WIDE}" height="{fake.HIGH}">')
        lines += [shapes, "  </image>"]
    return "\n".join([*lines, "</annotations>", ""])


def label(name: str, kind: str = "any", more: str = "") -> str:
    return f"<label><name>{name}</name><color>#aa3</color><type>{kind}</type><attributes></attributes>{more}</label>"


COMMON = 'source="manual" occluded="0"'


def polygon(name: str, points: Points) -> str:
    words = ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polygon label="{name}" {COMMON} points="{words}" z_order="0">\n</polygon>'


def turned(name: str, turn: tuple[float, float, float, float, float]) -> str:
    x, y, wide, high, angle = turn
    edges = f'xtl="{x - wide / 2:.2f}" ytl="{y - high / 2:.2f}" xbr="{x + wide / 2:.2f}" ybr="{y + high / 2:.2f}"'
    return f'<box label="{name}" {COMMON} {edges} rotation="{angle:.2f}" z_order="0">\n</box>'


def skeleton(name: str, points: Sequence[tuple[float, float, int]], order: Sequence[int] = (2, 0, 3, 1)) -> str:
    """CVAT does not keep the points in the order of the skeleton."""
    lines = [
        f'<points label="{BONES[at]}" source="manual" outside="{int(points[at][2] == 0)}" '
        f'occluded="{int(points[at][2] == 1)}" points="{points[at][0]:.2f},{points[at][1]:.2f}">\n</points>'
        for at in order
    ]
    return f'<skeleton label="{name}" source="manual" z_order="0">\n{"".join(lines)}\n</skeleton>'


def cvat_polygons(root: Path) -> None:
    images_of(root / "images")
    body = {stem: polygon("door", points) for stem, points in POLYGONS.items()}
    (root / "annotations.xml").write_text(cvat_document(body, label("door")), encoding="utf-8")


def cvat_turns(root: Path) -> None:
    images_of(root / "images")
    body = {stem: turned("door", turn) for stem, turn in TURNS.items()}
    (root / "annotations.xml").write_text(cvat_document(body, label("door")), encoding="utf-8")


def cvat_skeletons(root: Path) -> None:
    images_of(root / "images")
    labels = label("cat", "skeleton", "<svg>&lt;circle/&gt;</svg>")
    labels += "".join(label(bone, "points", "<parent>cat</parent>") for bone in BONES)
    body = {stem: skeleton("cat", points) for stem, points in POSES.items()}
    (root / "annotations.xml").write_text(cvat_document(body, labels), encoding="utf-8")


# --- COCO


def coco_document(annotate: Callable[[str], dict[str, Any]], stems: Sequence[str], **category: Any) -> dict[str, Any]:
    images = [
        {"id": at, "width": fake.WIDE, "height": fake.HIGH, "file_name": f"{stem}.jpg", "license": 0, "coco_url": ""}
        for at, stem in enumerate(stems, 1)
    ]
    annotations = [{"id": at, "image_id": at, "category_id": 1, **annotate(stem)} for at, stem in enumerate(stems, 1)]
    categories = [{"id": 1, "name": "door", "supercategory": "", **category}]
    info = {"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""}
    return {"licenses": [], "info": info, "categories": categories, "images": images, "annotations": annotations}


def box_around(points: Sequence[tuple[float, ...]]) -> list[float]:
    xs, ys = [each[0] for each in points], [each[1] for each in points]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def write_coco(root: Path, name: str, document: dict[str, Any]) -> None:
    images_of(root / "images" / "default")
    (root / "annotations").mkdir()
    (root / "annotations" / name).write_text(json.dumps(document), encoding="utf-8")


def coco_polygons(root: Path) -> None:
    def annotate(stem: str) -> dict[str, Any]:
        points = POLYGONS[stem]
        return {"segmentation": [flat(points)], "area": 1.0, "bbox": box_around(points), "iscrowd": 0}

    write_coco(root, "instances_default.json", coco_document(annotate, STEMS))


def cvat_coco_turns(root: Path) -> None:
    """CVAT's COCO export of turned boxes: the box as if it were not, and the angle among the attributes."""

    def annotate(stem: str) -> dict[str, Any]:
        x, y, wide, high, angle = TURNS[stem]
        box = [x - wide / 2, y - high / 2, wide, high]
        attributes = {"occluded": False, "rotation": float(angle)}
        return {"segmentation": [], "area": wide * high, "bbox": box, "iscrowd": 0, "attributes": attributes}

    write_coco(root, "instances_default.json", coco_document(annotate, STEMS))


def covered(points: Points) -> list[bool]:
    """The pixels whose middles lie in a polygon, column by column, as COCO counts them."""
    return [_in(points, x + 0.5, y + 0.5) for x in range(fake.WIDE) for y in range(fake.HIGH)]


def _in(points: Points, x: float, y: float) -> bool:
    inside = False
    for (a, b), (c, d) in zip(points, (*points[1:], points[0]), strict=True):
        if (b > y) != (d > y) and x < (c - a) * (y - b) / (d - b) + a:
            inside = not inside
    return inside


def lengths(pixels: Sequence[bool]) -> list[int]:
    counts, last = [0], False
    for pixel in pixels:
        if pixel != last:
            counts.append(0)
            last = pixel
        counts[-1] += 1
    return counts


def cvat_coco_masks(root: Path) -> None:
    """CVAT's COCO export of brushed masks: run lengths, each of them marked as a crowd."""

    def annotate(stem: str) -> dict[str, Any]:
        points = POLYGONS[stem]
        mask = {"counts": lengths(covered(points)), "size": [fake.HIGH, fake.WIDE]}
        crowd = {"iscrowd": 1, "attributes": {"occluded": False}}
        return {"segmentation": mask, "area": 1.0, "bbox": box_around(points), **crowd}

    write_coco(root, "instances_default.json", coco_document(annotate, STEMS))


def coco_poses(root: Path) -> None:
    """As CVAT writes it: two files, one of instances without anything in it."""

    def annotate(stem: str) -> dict[str, Any]:
        seen = [point for point in POSES[stem] if point[2]]
        words = [each for point in POSES[stem] for each in point]
        more = {"num_keypoints": len(seen), "segmentation": [], "iscrowd": 0, "area": 1.0}
        return {"keypoints": words, "bbox": box_around(seen), **more}

    document = coco_document(annotate, STEMS, keypoints=list(BONES), skeleton=[[1, 2]])
    write_coco(root, "person_keypoints_default.json", document)


def roboflow_coco(root: Path) -> None:
    """Roboflow's COCO Segmentation: a file in each split's folder, and a class that only holds the others."""
    for split, stems in (("train", STEMS[:6]), ("valid", STEMS[6:8]), ("test", STEMS[8:])):

        def annotate(stem: str) -> dict[str, Any]:
            points = POLYGONS[stem]
            return {"bbox": box_around(points), "area": 1.0, "segmentation": [flat(points)], "iscrowd": 0}

        document = coco_document(annotate, stems)
        document["categories"] = [
            {"id": 0, "name": "doors", "supercategory": "none"},
            {"id": 1, "name": "door", "supercategory": "doors"},
        ]
        for image in document["images"]:
            image["extra"] = {"name": image["file_name"]}
        (root / split).mkdir()
        for stem in stems:
            (root / split / f"{stem}.jpg").write_bytes(fake.picture(STEMS.index(stem)))
        (root / split / "_annotations.coco.json").write_text(json.dumps(document), encoding="utf-8")
    (root / "README.roboflow.txt").write_text("doors - v1\n", encoding="utf-8")


# --- YOLO


def roboflow_yolo(root: Path, rows: Mapping[str, Sequence[float]], more: str = "") -> None:
    """Roboflow's YOLO exports: a folder for each split with `images` and `labels`, paths that begin with `..`."""
    for split, stems in (("train", STEMS[:6]), ("valid", STEMS[6:8]), ("test", STEMS[8:])):
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for stem in stems:
            name = f"{stem}_jpg.rf.8d2c{STEMS.index(stem)}"
            (root / split / "images" / f"{name}.jpg").write_bytes(fake.picture(STEMS.index(stem)))
            words = " ".join(f"{value:.10g}" for value in (0, *rows[stem]))
            (root / split / "labels" / f"{name}.txt").write_text(words, encoding="utf-8")
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n"
    text += f"{more}nc: 1\nnames: ['door']\n\nroboflow:\n  workspace: me\n  project: doors\n  version: 1\n"
    (root / "data.yaml").write_text(text, encoding="utf-8")


def yolo_polygons(root: Path) -> None:
    roboflow_yolo(root, {stem: fractions(points) for stem, points in POLYGONS.items()})


def yolo_turns(root: Path) -> None:
    roboflow_yolo(root, {stem: fractions(corners_of(turn)) for stem, turn in TURNS.items()})


def pose_row(stem: str) -> list[float]:
    left, top, wide, high = box_around([point for point in POSES[stem] if point[2]])
    middle = [(left + wide / 2) / fake.WIDE, (top + high / 2) / fake.HIGH, wide / fake.WIDE, high / fake.HIGH]
    return [*middle, *(each for x, y, seen in POSES[stem] for each in (x / fake.WIDE, y / fake.HIGH, seen))]


def yolo_poses(root: Path) -> None:
    roboflow_yolo(root, {stem: pose_row(stem) for stem in STEMS}, "kpt_shape: [4, 3]\nflip_idx: [0, 2, 1, 3]\n")


SEGMENTS = {
    "cvat": cvat_polygons,
    "coco": coco_polygons,
    "roboflow-coco": roboflow_coco,
    "roboflow-yolo": yolo_polygons,
}
OBBS = {"cvat": cvat_turns, "cvat-coco": cvat_coco_turns, "roboflow-yolo": yolo_turns}
POSED = {"cvat": cvat_skeletons, "coco": coco_poses, "roboflow-yolo": yolo_poses}


def stem_of(name: str) -> str:
    """The stem in `STEMS` that a label's name begins with."""
    return name[:6]
