"""Defects of detection sets, as data: how each is planted, and what has to be said about it."""

import io
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from containerid.dataset.findings import ERROR, INFO, WARNING

YAML = "train: images/train\nval: images/val\ntest: images/test\nnames: [door, lock]\n"
SIZES = {"train": 60, "val": 8, "test": 6}
GOOD = "0 0.5 0.5 0.4 0.4\n1 0.3 0.4 0.2 0.2\n"


def picture(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """Shapes on a gradient; every seed looks different."""
    chance = random.Random(seed)
    image = Image.new("RGB", (width, height), tuple(chance.randrange(40, 200) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = chance.randrange(width), chance.randrange(height)
        corner = x + chance.randrange(8, width // 2), y + chance.randrange(8, height // 2)
        draw.rectangle([(x, y), corner], fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The bytes of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, form, **({"quality": 90} if form == "JPEG" else {}) | options)
    return buffer.getvalue()


def clean(folder: Path) -> Path:
    """A set in which nothing is wrong."""
    seed = 0
    for split, count in SIZES.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            seed += 1
            (folder / f"images/{split}/{split}{number:02}.jpg").write_bytes(encoded(picture(seed)))
            (folder / f"labels/{split}/{split}{number:02}.txt").write_text(GOOD, encoding="utf-8")
    (folder / "data.yaml").write_text(YAML, encoding="utf-8")
    return folder


Plant = Callable[[Path, str], None]


@dataclass(frozen=True)
class Defect:
    """One defect.

    Attributes:
        name: what it is, in words.
        plant: puts it into a set, into the image of train that is named by its stem.
        path: where it is reported, `{}` being that stem.
        kind: as which finding.
        severity: how bad.
        line: of the finding.
        deep: it is seen only where pixels are decoded.
    """

    name: str
    plant: Plant
    path: str
    kind: str
    severity: str
    line: int = 0
    deep: bool = False


IMAGE, LABEL = "images/train/{}.jpg", "labels/train/{}.txt"


def _label(text: str | bytes) -> Plant:
    def plant(folder: Path, stem: str) -> None:
        data = text.encode() if isinstance(text, str) else text
        (folder / LABEL.format(stem)).write_bytes(data)

    return plant


def _image(change: Callable[[bytes], bytes]) -> Plant:
    def plant(folder: Path, stem: str) -> None:
        path = folder / IMAGE.format(stem)
        path.write_bytes(change(path.read_bytes()))

    return plant


def _renamed(form: str, suffix: str = ".jpg") -> Plant:
    """The picture in another form, under the name that it is given."""

    def plant(folder: Path, stem: str) -> None:
        path = folder / IMAGE.format(stem)
        with Image.open(path) as image:
            data = encoded(image.convert("RGB"), form)
        path.unlink()
        path.with_suffix(suffix).write_bytes(data)

    return plant


def _file(name: str, data: bytes = b"x") -> Plant:
    def plant(folder: Path, stem: str) -> None:
        path = folder / name.format(stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return plant


def _move(before: str, after: str) -> Plant:
    def plant(folder: Path, stem: str) -> None:
        (folder / after.format(stem)).parent.mkdir(parents=True, exist_ok=True)
        (folder / before.format(stem)).rename(folder / after.format(stem))

    return plant


def _both(*plants: Plant) -> Plant:
    def plant(folder: Path, stem: str) -> None:
        for each in plants:
            each(folder, stem)

    return plant


def _remove(name: str) -> Plant:
    return lambda folder, stem: (folder / name.format(stem)).unlink()


def _copy(before: str, after: str) -> Plant:
    def plant(folder: Path, stem: str) -> None:
        shutil.copyfile(folder / before.format(stem), folder / after.format(stem))
        shutil.copyfile(folder / LABEL.format(stem), folder / label_beside(after.format(stem)))

    return plant


def label_beside(image: str) -> str:
    """Where the label of an image lies."""
    return str(Path(image.replace("images/", "labels/", 1)).with_suffix(".txt"))


def _dangling(folder: Path, stem: str) -> None:
    path = folder / IMAGE.format(stem)
    path.unlink()
    path.symlink_to("nowhere.jpg")


def _circular(folder: Path, stem: str) -> None:
    path = folder / IMAGE.format(stem)
    path.unlink()
    path.symlink_to(path.name)


def _astray(folder: Path, stem: str) -> None:
    path = folder / LABEL.format(stem)
    path.unlink()
    path.symlink_to("nowhere.txt")


def _loop(folder: Path, stem: str) -> None:
    (folder / f"images/train/loop{stem}").symlink_to("..")


def _unsummed(folder: Path, stem: str) -> None:
    _renamed("PNG", ".png")(folder, stem)
    path = folder / f"images/train/{stem}.png"
    data = bytearray(path.read_bytes())
    data[-13] ^= 0xFF  # The last byte of the data's checksum; IEND takes the 12 behind it.
    path.write_bytes(data)


def _folder(folder: Path, stem: str) -> None:
    path = folder / IMAGE.format(stem)
    path.unlink()
    path.mkdir()


def _small(folder: Path, stem: str) -> None:
    (folder / IMAGE.format(stem)).write_bytes(encoded(picture(1000).resize((5, 5))))


def _mode(mode: str) -> Plant:
    def plant(folder: Path, stem: str) -> None:
        path = folder / IMAGE.format(stem)
        with Image.open(path) as image:
            path.write_bytes(encoded(image.convert(mode)))

    return plant


def _turned(folder: Path, stem: str) -> None:
    path = folder / IMAGE.format(stem)
    with Image.open(path) as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        path.write_bytes(encoded(image, exif=exif))


def _near(folder: Path, stem: str) -> None:
    source = folder / IMAGE.format(stem)
    with Image.open(source) as image:
        (folder / f"images/val/near_{stem}.jpg").write_bytes(encoded(image, quality=60))
    shutil.copyfile(folder / LABEL.format(stem), folder / f"labels/val/near_{stem}.txt")


def _flipped(data: bytes) -> bytes:
    half, quarter = len(data) // 2, len(data) // 4
    return data[:half] + bytes(each ^ 0xFF for each in data[half : half + quarter]) + data[half + quarter :]


def _header_of(width: int, height: int) -> Callable[[bytes], bytes]:
    """A JPEG whose frame claims another size."""

    def change(data: bytes) -> bytes:
        at = data.index(b"\xff\xc0")
        return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]

    return change


def _rows(*rows: str) -> Plant:
    return _label("\n".join(rows) + "\n")


DEFECTS = [
    Defect("image without label", _remove(LABEL), IMAGE, "label-missing", WARNING),
    Defect("label without image", _remove(IMAGE), LABEL, "label-orphan", ERROR),
    Defect(
        "label in another letter case",
        _move(LABEL, "labels/train/{}_B.txt"),
        "labels/train/{}_B.txt",
        "label-orphan",
        ERROR,
    ),
    Defect("label ending in .TXT", _move(LABEL, "labels/train/{}.TXT"), "labels/train/{}.TXT", "label-case", ERROR),
    Defect("empty image", _image(lambda data: b""), IMAGE, "image-empty", ERROR),
    Defect("truncated JPEG", _image(lambda data: data[: len(data) * 2 // 3]), IMAGE, "image-truncated", ERROR),
    Defect("JPEG cut within its header", _image(lambda data: data[:30]), IMAGE, "image-truncated", ERROR),
    Defect(
        "truncated JPEG with an end",
        _image(lambda data: data[: len(data) // 2] + b"\xff\xd9"),
        IMAGE,
        "image-corrupt",
        ERROR,
        deep=True,
    ),
    Defect("flipped bytes in the body", _image(_flipped), IMAGE, "image-corrupt", ERROR, deep=True),
    Defect("JPEG with bytes behind its end", _image(lambda data: data + b"\0\0"), IMAGE, "image-trailing", INFO),
    Defect("text called .jpg", _image(lambda data: b"no picture\n" * 40), IMAGE, "image-foreign", ERROR),
    Defect(
        "web page called .jpg",
        _image(lambda data: b"<!DOCTYPE html><html>" + b" " * 200),
        IMAGE,
        "image-foreign",
        ERROR,
    ),
    Defect(
        "a pointer of Git LFS",
        _image(lambda data: b"version https://git-lfs.github.com/spec/v1\n"),
        IMAGE,
        "image-foreign",
        ERROR,
    ),
    Defect("nothing but zeros", _image(lambda data: bytes(len(data))), IMAGE, "image-foreign", ERROR),
    Defect("5x5 image", _small, IMAGE, "image-small", ERROR),
    Defect("0x5 image", _image(_header_of(0, 5)), IMAGE, "image-corrupt", ERROR),
    Defect("link to nowhere", _dangling, IMAGE, "image-missing", ERROR),
    Defect("link to itself", _circular, IMAGE, "image-unreadable", ERROR),
    Defect("video called .jpg", _image(lambda data: b"\0\0\0\x18ftypmp42" + data), IMAGE, "image-foreign", ERROR),
    Defect(
        "HEIC called .jpg",
        _image(lambda data: b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes([0, 0, 1, 0]) + b"free" + bytes(248)),
        IMAGE,
        "image-format",
        ERROR,
    ),
    Defect("PNG with a wrong checksum", _unsummed, "images/train/{}.png", "image-corrupt", ERROR, deep=True),
    Defect("folder called .jpg", _folder, IMAGE, "image-unreadable", ERROR),
    Defect("PNG called .jpg", _renamed("PNG"), IMAGE, "image-suffix", WARNING),
    Defect("GIF called .jpg", _renamed("GIF"), IMAGE, "image-format", ERROR),
    Defect("truncated PNG", _both(_renamed("PNG"), _image(lambda data: data[:-40])), IMAGE, "image-truncated", ERROR),
    Defect("truncated WebP", _both(_renamed("WEBP"), _image(lambda data: data[:-40])), IMAGE, "image-truncated", ERROR),
    Defect("truncated BMP", _both(_renamed("BMP"), _image(lambda data: data[:-40])), IMAGE, "image-truncated", ERROR),
    Defect("turned by EXIF", _turned, IMAGE, "image-rotated", WARNING),
    Defect("grey image", _mode("L"), IMAGE, "image-grey", INFO),
    Defect("CMYK image", _mode("CMYK"), IMAGE, "image-cmyk", INFO),
    Defect("4 columns", _rows("0 0.5 0.5 0.4"), LABEL, "label-columns", ERROR, 1),
    Defect("6 columns", _rows(GOOD.strip(), "0 0.5 0.5 0.4 0.3 0.9"), LABEL, "label-columns", ERROR, 3),
    Defect("7 columns", _rows("0 0.5 0.5 0.4 0.3 0.9 0.2"), LABEL, "label-columns", ERROR, 1),
    Defect("class beyond the names", _rows("0 0.5 0.5 0.4 0.4", "2 0.5 0.5 0.4 0.4"), LABEL, "label-class", ERROR, 2),
    Defect("class -1", _rows("-1 0.5 0.5 0.4 0.4"), LABEL, "label-class", ERROR, 1),
    Defect("class 0.5", _rows("0.5 0.5 0.5 0.4 0.4"), LABEL, "label-class", ERROR, 1),
    Defect("class 0.0", _rows("0.0 0.5 0.5 0.4 0.4"), LABEL, "label-class-form", WARNING, 1),
    Defect("class by name", _rows("door 0.5 0.5 0.4 0.4"), LABEL, "label-format", ERROR, 1),
    Defect("NaN", _rows("0 nan 0.5 0.4 0.4"), LABEL, "label-format", ERROR, 1),
    Defect("class 1_0", _rows("1_0 0.5 0.5 0.4 0.4"), LABEL, "label-format", ERROR, 1),
    Defect("number 0_1", _rows("0 0.5 0.5 0_1 0.4"), LABEL, "label-format", ERROR, 1),
    Defect("digits of another script", _rows("0 0.5 0.5 0.4 ０.4"), LABEL, "label-format", ERROR, 1),
    Defect("width of a billionth", _rows("0 0.5 0.5 1e-9 0.4"), LABEL, "label-area", ERROR, 1),
    Defect("infinity", _rows("0 0.5 inf 0.4 0.4"), LABEL, "label-format", ERROR, 1),
    Defect("negative coordinate", _rows("0 -0.2 0.5 0.1 0.1"), LABEL, "label-range", ERROR, 1),
    Defect("coordinate of 1.2", _rows("0 1.2 0.5 0.1 0.1"), LABEL, "label-range", ERROR, 1),
    Defect("pixels", _rows("0 80 60 40 30"), LABEL, "label-range", ERROR, 1),
    Defect("coordinate of 1.005", _rows("0 1.005 0.5 0.01 0.1"), LABEL, "label-edge", WARNING, 1),
    Defect("box over the edge", _rows("0 0.9 0.5 0.8 0.4"), LABEL, "label-edge", WARNING, 1),
    Defect("zero width", _rows("0 0.5 0.5 0 0.4"), LABEL, "label-area", ERROR, 1),
    Defect("negative height", _rows("0 0.5 0.5 0.4 -0.005"), LABEL, "label-area", ERROR, 1),
    Defect("commas", _rows("0,0.5,0.5,0.4,0.4"), LABEL, "label-format", ERROR, 1),
    Defect("semicolons", _rows("0;0.5;0.5;0.4;0.4"), LABEL, "label-format", ERROR, 1),
    Defect("decimal commas", _rows("0 0,5 0,5 0,4 0,4"), LABEL, "label-format", ERROR, 1),
    Defect("UTF-16", _label(GOOD.encode("utf-16")), LABEL, "label-encoding", ERROR),
    Defect("UTF-16 without mark", _label(GOOD.encode("utf-16-le")), LABEL, "label-encoding", ERROR),
    Defect("Latin-1", _label("0 0.5 0.5 0.4 0.4\n# Tür\n".encode("latin-1")), LABEL, "label-encoding", ERROR, 2),
    Defect("byte-order mark", _label(b"\xef\xbb\xbf" + GOOD.encode()), LABEL, "label-bom", WARNING, 1),
    Defect("CRLF", _label(GOOD.replace("\n", "\r\n")), LABEL, "label-crlf", WARNING, 1),
    Defect("polygon", _rows("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9"), LABEL, "label-polygon", WARNING, 1),
    Defect(
        "polygon among boxes",
        _rows(GOOD.strip(), "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9"),
        LABEL,
        "label-mixed",
        WARNING,
        3,
    ),
    Defect("no-break spaces", _label("0\u00a00.5\u00a00.5 0.4 0.4\n"), LABEL, "label-space", WARNING, 1),
    Defect("line separator", _label(f"{GOOD.strip()}\u20280 0.6 0.6 0.2 0.2\n"), LABEL, "label-space", WARNING, 2),
    Defect("label that leads nowhere", _astray, IMAGE, "label-missing", WARNING),
    Defect("row twice", _rows(*[GOOD.split("\n", maxsplit=1)[0]] * 2), LABEL, "label-duplicate", WARNING, 2),
    Defect(
        "row twice in other digits",
        _rows("0 0.5 0.5 0.4 0.4", "0 0.50 0.5 0.4 4e-1"),
        LABEL,
        "label-duplicate",
        WARNING,
        2,
    ),
    Defect("box drawn twice", _rows("0 0.5 0.5 0.4 0.4", "0 0.502 0.5 0.4 0.4"), LABEL, "label-overlap", WARNING, 2),
    Defect("empty label", _label(""), LABEL, "label-empty", INFO),
    Defect("one pixel wide", _rows("0 0.5 0.5 0.00625 0.4"), LABEL, "label-tiny", INFO, 1),
    Defect("copy in val", _copy(IMAGE, "images/val/copy_{}.jpg"), "images/val/copy_{}.jpg", "split-leak", ERROR),
    Defect("copy in test", _copy(IMAGE, "images/test/other_{}.jpg"), "images/test/other_{}.jpg", "split-leak", ERROR),
    Defect(
        "copy in train",
        _copy(IMAGE, "images/train/z_copy_{}.jpg"),
        "images/train/z_copy_{}.jpg",
        "image-duplicate",
        WARNING,
    ),
    Defect("saved anew in val", _near, "images/val/near_{}.jpg", "split-near", WARNING, deep=True),
    Defect(
        "two images, one stem",
        _file("images/train/{}.png", encoded(picture(2000), "PNG")),
        "images/train/{}.png",
        "image-stem",
        WARNING,
    ),
    Defect("classes.txt", _file("labels/train/classes.txt"), "labels/train/classes.txt", "junk", WARNING),
    Defect("Thumbs.db", _file("images/train/Thumbs.db"), "images/train/Thumbs.db", "junk", WARNING),
    Defect(".DS_Store", _file("labels/train/.DS_Store"), "labels/train/.DS_Store", "junk", WARNING),
    Defect("AppleDouble", _file("images/train/._{}.jpg"), "images/train/._{}.jpg", "junk", WARNING),
    Defect("a note among images", _file("images/train/{}.json", b"{}"), "images/train/{}.json", "junk", WARNING),
    Defect("a label among images", _file("images/train/{}.txt", GOOD.encode()), "images/train/{}.txt", "junk", WARNING),
    Defect("stale cache", _file("labels/val.cache"), "labels/val.cache", "cache", WARNING),
    Defect("images kept as arrays", _file("images/train/{}.npy"), "images/train/{}.npy", "cache", WARNING),
    Defect(
        "nested folder",
        _both(_move(IMAGE, "images/train/more/{}.jpg"), _move(LABEL, "labels/train/more/{}.txt")),
        "images/train/more",
        "nested",
        WARNING,
    ),
    Defect("link to its own folder", _loop, "images/train/loop{}", "loop", WARNING),
    Defect(
        "numbers without image",
        _file("labels/train/zz{}.txt", b"9,9,9\n"),
        "labels/train/zz{}.txt",
        "label-orphan",
        ERROR,
    ),
    Defect("capital ending", _move(IMAGE, "images/train/{}.JPG"), "images/train/{}.JPG", "name-suffix", INFO),
    Defect(".jpeg", _move(IMAGE, "images/train/{}.jpeg"), "images/train/{}.jpeg", "name-suffix", INFO),
    Defect(".webp", _renamed("WEBP", ".webp"), "images/train/{}.webp", "name-suffix", INFO),
    Defect(
        "spaces in a name",
        _both(_move(IMAGE, "images/train/a {}.jpg"), _move(LABEL, "labels/train/a {}.txt")),
        "images/train/a {}.jpg",
        "name-odd",
        INFO,
    ),
    Defect(
        "letters of another script",
        _both(_move(IMAGE, "images/train/дверь{}.jpg"), _move(LABEL, "labels/train/дверь{}.txt")),
        "images/train/дверь{}.jpg",
        "name-odd",
        INFO,
    ),
    Defect(
        "images in no split",
        _file("images/extra/{}.jpg", encoded(picture(3000))),
        "images/extra",
        "image-unused",
        WARNING,
    ),
]
"""All of them can be planted into one set, each at an image of its own."""


def plant(folder: Path, defects: list[Defect]) -> list[tuple[str, str, str, int]]:
    """Put defects into a clean set; what has to be found, as path, kind, severity and line."""
    expected = []
    for number, defect in enumerate(defects):
        stem = f"own{number:02}"
        (folder / IMAGE.format(stem)).write_bytes(encoded(picture(5000 + number)))
        (folder / LABEL.format(stem)).write_text(GOOD, encoding="utf-8")
        defect.plant(folder, stem)
        expected.append((defect.path.format(stem), defect.kind, defect.severity, defect.line))
    return expected
