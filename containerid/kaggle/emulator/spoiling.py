"""Answers that are real but for one thing: a wrong length, a foreign name, another word, a flipped bit."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from containerid.kaggle.emulator.answers import Answer, Slice


def spoil(
    answer: Answer, *, headers: Mapping[str, str], fields: Mapping[str, Any], names: Mapping[str, str], flip: bool
) -> Answer:
    """The answer with these changes; the same one when there are none.

    Args:
        answer: as the server gives it.
        headers: laid over its own; an empty one is not sent.
        fields: laid over those of its JSON document.
        names: of files in that document, to what they are called instead.
        flip: change one bit in the middle of its body.
    """
    if fields or names:
        document = {**json.loads(whole(answer)), **fields}
        answer = replace(answer, body=json.dumps(_renamed(document, names)).encode())
    if flip:
        spoilt = bytearray(whole(answer))
        spoilt[len(spoilt) // 2] ^= 1
        answer = replace(answer, body=bytes(spoilt))
    return replace(answer, headers={**answer.headers, **headers}) if headers else answer


def whole(answer: Answer) -> bytes:
    """The body in one piece."""
    if isinstance(answer.body, bytes):
        return answer.body
    if isinstance(answer.body, Slice):
        with answer.body.path.open("rb") as file:
            file.seek(answer.body.start)
            return file.read(answer.body.length)
    return b"".join(answer.body)


def _renamed(document: Any, names: Mapping[str, str]) -> Any:
    if isinstance(document, dict):
        return {key: _name(key, value, names) for key, value in document.items()}
    if isinstance(document, list):
        return [_renamed(each, names) for each in document]
    return document


def _name(key: str, value: Any, names: Mapping[str, str]) -> Any:
    if key in ("fileName", "name") and isinstance(value, str):
        return names.get(value, value)
    return _renamed(value, names)
