import io
from pathlib import Path

import pytest
from fakes.defects import encoded, picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from containerid.dataset.images import look

FORMS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif", "GIF": "gif"}
HEADS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x20\x00\x00\x00WEBPVP8X",
    b"BM\x00\x00\x00\x00\0\0\0\0",
    b"II*\x00",
]
HEADS += [b"MM\x00*", b"GIF89a", b"\0\0\0\x1cftypavif", b"\0\0\0\x0cjP  \r\n\x87\n"]


def kinds(path: Path) -> list[str]:
    return [kind for kind, *_ in look(str(path)).said]


@pytest.mark.parametrize(("form", "suffix"), FORMS.items())
def test_the_size_is_read_from_the_head(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encoded(picture(1, 37, 23), form))
    seen = look(str(path))
    assert (seen.width, seen.height, seen.size) == (37, 23, path.stat().st_size)


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}]
)
def test_every_kind_of_webp_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    (tmp_path / "a.webp").write_bytes(encoded(picture(1, 37, 23), "WEBP", **options))
    seen = look(str(tmp_path / "a.webp"))
    assert (seen.width, seen.height) == (37, 23)
    assert ("image-rotated" in kinds(tmp_path / "a.webp")) == ("exif" in options)


@pytest.mark.parametrize(("form", "suffix"), [("PNG", "png"), ("TIFF", "tif")])
def test_a_turn_is_seen_in_other_forms_too(tmp_path: Path, form: str, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    (tmp_path / f"a.{suffix}").write_bytes(encoded(picture(1), form, exif=exif))
    assert kinds(tmp_path / f"a.{suffix}") == ["image-rotated"]


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"exif": b"x" * 60_000}, {"comment": b"\xff\xd9"}, {"quality": 5}]
)
def test_no_healthy_jpeg_is_found_wanting(tmp_path: Path, options: dict[str, object]) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(picture(1), **options))
    assert look(str(tmp_path / "a.jpg")).said == []


def test_a_thumbnails_end_is_not_the_images(tmp_path: Path) -> None:
    exif = b"Exif\0\0" + b"\0" * 20 + encoded(picture(2, 32, 32))
    data = encoded(picture(1), exif=exif)
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 3 // 4])
    assert kinds(tmp_path / "a.jpg") == ["image-truncated"]


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("containerid.dataset.images.os.open", refuse)
    assert kinds(tmp_path / "a.jpg") == ["image-unreadable"]


@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=200), cut=st.integers(0, 400))
def test_whatever_the_bytes_are_it_is_said_and_never_raised(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, tail: bytes, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.jpg"
    path.write_bytes((head + tail) * (1 + cut % 3) + io.BytesIO(head).read()[:cut])
    look(str(path))
