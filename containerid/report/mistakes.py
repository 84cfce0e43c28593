"""The images in which most went wrong, with what is there and what was seen drawn over them."""

from containerid.report import pictures, wording
from containerid.report.outputs import Doc, Outputs
from containerid.report.page import GOOD, Block, Gallery, More, Note, Section, Table, Words
from containerid.report.pictures import GUESS, TRUE, Box, Picture

_PICTURES = 12
_PERFECT = "Every box of every image was found, and nothing else was."
_BYTES = 1_600_000
"""Of pictures in all: a page has to fit into a mail."""


def section(outputs: Outputs) -> Section:
    """The section about mistakes."""
    mistakes = outputs.evaluation["mistakes"]
    if not mistakes:
        return Section("Mistakes", _examples(outputs))
    classifies = outputs.classifies
    worst = [each for each in mistakes.docs("worst") if (each.number("score") or 0) > 0]
    if not worst and not mistakes.number("images_with_errors"):
        perfect = "Every image was told right." if classifies else _PERFECT
        return Section("Mistakes", [Note(perfect, GOOD)])
    blocks: list[Block] = [Words(_told_of_classes(outputs.evaluation) if classifies else _told(outputs.evaluation))]
    names = outputs.evaluation.texts("names")
    blocks += _gallery(outputs, worst, names)
    if worst:
        blocks.append(More("The worst images by name", [_by_class(worst) if classifies else _by_name(worst)]))
    return Section("Mistakes", blocks)


def _by_class(worst: list[Doc]) -> Table:
    rows = [
        [each.text("image"), each.text("true"), each.text("predicted"), wording.share(each.number("confidence"))]
        for each in worst
    ]
    return Table("The surest first", ["image", "is", "taken for", "confidence"], rows, {3})


def _told_of_classes(evaluation: Doc) -> str:
    mistakes, images = evaluation["mistakes"], evaluation.number("images")
    wrong, sure = mistakes.number("images_with_errors") or 0, mistakes.number("sure") or 0
    return (
        f"{wording.count(wrong)} of {wording.plural(images or wrong, 'image')} "
        f"{'is' if wrong == 1 else 'are'} taken for another class"
        f"{f', {wording.count(sure)} of them at a confidence over 0.8' if sure else ''}. "
        "Those come first whose answer is surest against the truth; often it is the folder that is wrong."
    )


def _by_name(worst: list[Doc]) -> Table:
    kinds = ("missed", "false", "confused")
    rows = [[each.text("image"), *(wording.count(each.number(kind)) for kind in kinds)] for each in worst]
    return Table("The worst first", ["image", *kinds], rows, {1, 2, 3})


def _told(evaluation: Doc) -> str:
    mistakes, images = evaluation["mistakes"], evaluation.number("images")
    wrong = mistakes.number("images_with_errors") or 0
    confused = mistakes.number("confused")
    missed, false = (wording.count(mistakes.number(kind)) for kind in ("missed", "false"))
    return (
        f"Something is wrong in {wording.count(wrong)} of {wording.plural(images or wrong, 'image')}: "
        f"{missed} boxes missed, {false} seen where there is none"
        f"{f', {wording.count(confused)} of them of another class' if confused else ''}. "
        "Green, solid: what is there. Orange, dashed: what was predicted, with its confidence."
    )


def _gallery(outputs: Outputs, worst: list[Doc], names: list[str]) -> list[Block]:
    found: list[Picture] = []
    spent = 0
    for each in worst:
        picture = _picture(outputs, each, names)
        if picture and spent + len(picture.svg) <= _BYTES and len(found) < _PICTURES:
            spent += len(picture.svg)
            found.append(picture)
    return [Gallery(found)] if found else []


def _picture(outputs: Outputs, mistake: Doc, names: list[str]) -> Picture | None:
    path = outputs.inside(mistake.text("picture"))
    image = pictures.load(path, longest=480) if path else None
    if image is None:
        return None
    name = mistake.text("image")
    if outputs.classifies:
        title = f"{mistake.text('true')}, taken for {mistake.text('predicted')}"
        told = f"{wording.share(mistake.number('confidence'))}; {name.rpartition('/')[2]}"
        return pictures.draw(image, f"{name}: {title}", told, title)
    boxes = [box for each in mistake.docs("true") if (box := _box(each, TRUE, names))]
    boxes += [box for each in mistake.docs("predicted") if (box := _box(each, GUESS, names))]
    kinds = ((mistake.number(kind) or 0, kind) for kind in ("missed", "false", "confused"))
    title = ", ".join(f"{number:.0f} {kind}" for number, kind in kinds if number)
    drawn = (f"{'there' if box.kind == TRUE else 'predicted'}: {box.label or 'found'}" for box in boxes[:12])
    alt = f"{name}: {title}; {'; '.join(drawn)}"
    return pictures.draw(image, alt, name.rpartition("/")[2], title, boxes)


def _box(box: Doc, kind: str, names: list[str]) -> Box | None:
    corners = box.row("box")
    if len(corners) != 4 or not all(-1 <= value <= 2 for value in corners):
        return None
    left, top, right, bottom = corners
    index, confidence = box.number("class"), box.number("confidence")
    # Where there is one class alone, its name says nothing.
    name = names[int(index)] if index is not None and 0 <= index < len(names) > 1 else ""
    right_one = box.get("found") is True or box.text("kind") == "true"
    said = f"{confidence:.2f}" if confidence is not None else "missed"
    # Only what is wrong is named: the names of what is right would cover it.
    label = "" if right_one else f"{name} {said}".strip()
    return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, kind, label)


def _examples(outputs: Outputs) -> list[Block]:
    """Predictions as Ultralytics draws them, for a run that says nothing about its mistakes."""
    found = []
    for name in ("val_batch0_labels.jpg", "val_batch0_pred.jpg"):
        path = outputs.inside(f"test/{name}") or outputs.inside(name)
        if path and (image := pictures.load(path, longest=1100)):
            title = "What is there" if "labels" in name else "What was predicted"
            found.append(pictures.draw(image, f"{title}, on a batch of images", "a batch of images", title))
    return [Gallery(found, wide=True)] if found else []
