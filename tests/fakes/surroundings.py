"""Odd places in which secrets are left, written after the rules were done: a name, a value, and what is around them."""

import base64
import json
import string
from collections.abc import Callable, Iterator

from fakes.secrets import ALNUM, HEX, Draw, drawer, tokens

Place = Callable[[str, str], tuple[str, str]]

PLACES: dict[str, Place] = {
    "restructured text": lambda n, v: ("docs/run.rst", f".. code-block:: bash\n\n   export {n}={v}\n"),
    "rust": lambda n, v: ("src/main.rs", f'const {n}: &str = "{v}";\n'),
    "lua": lambda n, v: ("conf.lua", f'return {{ name = "a", {n} = "{v}", }}\n'),
    "flow mapping": lambda n, v: (".gitlab-ci.yml", f"job:\n  variables: {{A: b, {n}: {v}}}\n"),
    "json lines": lambda n, v: ("log.jsonl", json.dumps({"level": "info", "text": f"set {n}={v}; ok"}) + "\n"),
    "properties": lambda n, v: ("app.properties", f"# prod\napp.{n.lower().replace('_', '.')}={v}\n"),
    "dataclass": lambda n, v: ("conf.py", f"@dataclass\nclass Conf:\n    {n.lower()}: str | None = '{v}'\n"),
    "argparse default": lambda n, v: ("t.py", f'parser.add_argument("--{n.lower()}", type=str, default="{v}")\n'),
    "tab separated": lambda n, v: ("vars.tsv", f"A\t1\n{n}\t{v}\n"),
    "exported with remark": lambda n, v: ("env.sh", f"export {n}='{v}' # until may\n"),
    "fish": lambda n, v: ("conf.fish", f"set -gx {n} {v}\n"),
    "nix": lambda n, v: ("shell.nix", f'mkShell {{\n  {n} = "{v}";\n}}\n'),
    "table in markdown": lambda n, v: ("NOTES.md", f"| what | value |\n|---|---|\n| {n} | `{v}` |\n"),
    "chat in a comment": lambda n, v: ("t.py", f"# ada: just use {n} = {v} for now\n"),
    "windows line ends": lambda n, v: ("settings.ini", f"[main]\r\n{n} = {v}\r\n[other]\r\n"),
}

_IN_CONTEXT: dict[str, tuple[str, Callable[[Draw], str]]] = {
    "kaggle-key": ("KAGGLE_KEY", lambda draw: draw(32, HEX)),
    "wandb-key": ("WANDB_API_KEY", lambda draw: draw(40, HEX)),
    "aws-secret": ("AWS_SECRET_ACCESS_KEY", lambda draw: draw(40, ALNUM + "/+")),
    "roboflow": ("ROBOFLOW_API_KEY", lambda draw: draw(20, ALNUM)),
    "token": ("SERVICE_TOKEN", lambda draw: draw(24, ALNUM)),
    "hex-secret": ("APP_SECRET", lambda draw: draw(32, HEX)),
    "base64-key": ("ENCRYPTION_KEY", lambda draw: base64.b64encode(draw(32, ALNUM).encode()).decode()),
    "password": ("DB_PASSWORD", lambda draw: draw(5, string.ascii_letters) + draw(3, string.digits) + "!"),
}


def held_out() -> Iterator[tuple[str, str, str, bytes]]:
    """Kind, place, path and content: each kind of secret once in each place."""
    draw = drawer("held out")
    for place, around in PLACES.items():
        for kind, token in tokens(draw).items():
            path, text = around("THING", token)
            yield kind, place, path, text.encode()
        for kind, (name, value) in _IN_CONTEXT.items():
            path, text = around(name, value(draw))
            yield kind, place, path, text.encode()
