"""Secrets that look real and are none, and files that look like secrets and hold none. Nothing here is a literal token:
every value is drawn when it is asked for, so that no scanner trips over this file."""

import base64
import json
import random
import string
from collections.abc import Callable, Iterator

ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
BEGIN = "-----" + "BEGIN "
END = "-----" + "END "

Draw = Callable[[int, str], str]


def drawer(seed: str) -> Draw:
    """Draws a text of some length from an alphabet; the same seed draws the same."""
    chance = random.Random(seed)
    return lambda length, alphabet: "".join(chance.choice(alphabet) for _ in range(length))


def pem(draw: Draw, kind: str = "RSA ") -> str:
    """A private key in PEM, with three lines of nonsense in it."""
    body = "\n".join(draw(64, ALNUM + "+/") for _ in range(3))
    return f"{BEGIN}{kind}PRIVATE KEY-----\n{body}\n{END}{kind}PRIVATE KEY-----\n"


def service_account(draw: Draw) -> str:
    """A Google service account's key file."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "doors",
            "private_key_id": draw(40, HEX),
            "private_key": pem(draw, ""),
            "client_email": "dvc@doors.iam.gserviceaccount.com",
        },
        indent=2,
    )


def drive_token(draw: Draw) -> str:
    """What pydrive2 keeps."""
    return json.dumps(
        {
            "access_token": "ya29." + "a0" + draw(60, URLSAFE),
            "client_id": draw(12, string.digits) + "-" + draw(32, ALNUM) + ".apps.googleusercontent.com",
            "client_secret": "GOCSPX" + "-" + draw(28, URLSAFE),
            "refresh_token": "1/" + "/0e" + draw(50, URLSAFE),
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def jwt(draw: Draw) -> str:
    """A JSON web token."""
    head, body = (
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b'{"alg":"HS256"}', b'{"sub":"1234567"}')
    )
    return f"{head}.{body}.{draw(43, URLSAFE)}"


def tokens(draw: Draw) -> dict[str, str]:
    """One token of each kind that its shape gives away."""
    upper = string.ascii_uppercase + string.digits
    return {
        "kaggle-token": "KGAT" + "_" + draw(32, HEX),
        "wandb-v1": "wandb" + "_v1_" + draw(80, ALNUM),
        "github-classic": "ghp" + "_" + draw(36, ALNUM),
        "github-oauth": "gho" + "_" + draw(36, ALNUM),
        "github-fine": "github" + "_pat_" + draw(22, ALNUM) + "_" + draw(59, ALNUM),
        "gitlab": "glpat" + "-" + draw(20, URLSAFE),
        "google-access": "ya29" + ".a0" + draw(80, URLSAFE),
        "google-refresh": "1/" + "/0g" + draw(60, URLSAFE),
        "google-client": "GOCSPX" + "-" + draw(28, URLSAFE),
        "google-api": "AIza" + draw(35, URLSAFE),
        "hugging-face": "hf" + "_" + draw(34, ALNUM),
        "aws-access": "AKIA" + draw(16, upper),
        "openai-project": "sk-" + "proj-" + draw(60, URLSAFE),
        "openai": "sk-" + draw(20, ALNUM) + "T3Blbk" + "FJ" + draw(20, ALNUM),
        "anthropic": "sk-" + "ant-api03-" + draw(80, URLSAFE),
        "slack-bot": "xoxb" + "-" + draw(12, string.digits) + "-" + draw(12, string.digits) + "-" + draw(24, ALNUM),
        "slack-hook": "https://hooks.slack"
        + ".com/services/T"
        + draw(8, upper)
        + "/B"
        + draw(8, upper)
        + "/"
        + draw(24, ALNUM),
        "discord-hook": "https://discord" + ".com/api/webhooks/" + draw(18, string.digits) + "/" + draw(68, URLSAFE),
        "telegram": draw(10, "123456789") + ":AA" + draw(33, URLSAFE),
        "age": "AGE-SECRET" + "-KEY-1" + draw(58, upper),
        "jwt": jwt(draw),
        "stripe": "sk" + "_live_" + draw(24, ALNUM),
        "pypi": "pypi" + "-AgEIcHlwaS5vcmc" + draw(60, URLSAFE),
        "npm": "npm" + "_" + draw(36, ALNUM),
        "signed-google": "https://storage.googleapis.com/b/best.pt?X-Goog-Algorithm=G&X-Goog-"
        + "Signature="
        + draw(256, HEX),
        "signed-aws": "https://b.s3.amazonaws.com/best.pt?X-Amz-Expires=60&X-Amz-" + "Signature=" + draw(64, HEX),
        "signed-azure": "https://a.blob.core.windows.net/c/best.pt?se=2030&sp=r&sig" + "=" + draw(43, ALNUM) + "%3D",
        "url-password": "https://ada:" + draw(14, ALNUM) + "@dagshub.com/ada/doors.dvc",
        "url-token": "https://" + "ghs" + "_" + draw(36, ALNUM) + "@github.com/ada/doors.git",
    }


def planted() -> Iterator[tuple[str, str, bytes]]:
    """Kind, path and content of files that hold one secret each, where people really leave them."""
    draw = drawer("planted")
    for kind, token in tokens(draw).items():
        yield kind, "train.py", f'import os\n\nCLIENT = connect("{token}")\n'.encode()
    key, hexed = draw(40, HEX), draw(32, HEX)
    aws = draw(40, ALNUM + "/+")
    texts = [
        ("kaggle.json", "kaggle.json", json.dumps({"username": "ada", "key": hexed})),
        ("kaggle-elsewhere", "conf/kg.json", json.dumps({"username": "ada", "key": draw(32, HEX)})),
        ("kaggle-env", "run.sh", f"export KAGGLE_USERNAME=ada\nexport KAGGLE_KEY={draw(32, HEX)}\n"),
        ("wandb-env", ".env", f"WANDB_API_KEY={key}\n"),
        ("wandb-login", "train.py", f'wandb.login(key="{draw(40, HEX)}")\n'),
        ("wandb-cli", "setup.sh", f"pip install wandb\nwandb login {draw(40, HEX)}\n"),
        ("wandb-netrc", "home/netrc.txt", f"machine api.wandb.ai\n  login user\n  password {draw(40, HEX)}\n"),
        ("pydrive2", ".dvc/tmp/gdrive-user-credentials.json", drive_token(draw)),
        ("service-account", "gdrive.json", service_account(draw)),
        (
            "service-account-base64",
            "ci.yml",
            "env:\n  SA: " + base64.b64encode(service_account(draw).encode()).decode(),
        ),
        ("pem", "deploy_key", pem(draw)),
        ("openssh", "keys/door", pem(draw, "OPENSSH ")),
        ("pem-in-json", "conf.json", json.dumps({"cert": pem(draw, "EC ")})),
        ("aws-secret", "s3.cfg", f"[default]\naws_secret_access_key = {aws}\n"),
        ("roboflow", "data.py", f'rf = Roboflow(api_key="{draw(20, ALNUM)}")\n'),
        ("roboflow-url", "get.sh", f"curl -L https://app.roboflow.com/ds/aB3?key={draw(10, ALNUM)}7b > d.zip\n"),
        ("netrc", ".netrc", "machine github.com login ada password pw\n"),
        ("chpasswd", "tunnel.sh", "echo 'root:" + "kaggle2024' | chpasswd\n"),
        ("password-code", "db.py", 'connect(user="ada", password="' + "tr0ub4dor" + '&3")\n'),
        ("password-yaml", "db.yaml", "db:\n  user: ada\n  password: " + "Winter" + "2031!\n"),
        ("secret-json", "app.json", json.dumps({"client_secret": draw(24, ALNUM)})),
        (
            "token-notebook",
            "a.ipynb",
            json.dumps(
                {"cells": [{"cell_type": "code", "source": [f"os.environ['API_TOKEN'] = \"{draw(32, HEX)}\"\n"]}]}
            ),
        ),
        ("default-of-getenv", "x.py", f'os.getenv("MODEL_SECRET", "{draw(24, ALNUM)}")\n'),
        ("kubernetes", "pod.yaml", f"env:\n- name: WANDB_API_KEY\n  value: {draw(40, HEX)}\n"),
        ("dockerfile", "Dockerfile", f"FROM python\nENV HF_TOKEN {draw(34, ALNUM)}\n"),
        ("bearer", "call.py", f'headers = {{"Authorization": "Bearer {draw(40, ALNUM)}"}}\n'),
        ("azure-key", "az.txt", "AccountName=a;Account" + f"Key={draw(86, ALNUM)}==;\n"),
        ("git-credentials", ".git-credentials", "https://ada:x@github.com\n"),
        ("ssh-name", ".ssh/id_ed25519", "not even a key\n"),
        ("htpasswd", "web/.htpasswd", "ada:$apr1$x\n"),
    ]
    for kind, path, text in texts:
        yield kind, path, text.encode()
    yield "utf-16", "notes.txt", f"api_key = '{draw(32, HEX)}'\r\n".encode("utf-16")
    yield "latin-1", "notes.txt", f"Schlüssel für Köln\napi_key = '{draw(32, HEX)}'\n".encode("latin-1")
    yield "binary", "cache.pkl", b"\x80\x04\x95\x00\x00\x00" + tokens(draw)["github-classic"].encode() + b"\x00\x94."


def innocent() -> Iterator[tuple[str, str, bytes]]:
    """Kind, path and content of files that only look as if they held secrets."""
    draw = drawer("innocent")
    texts = [
        (
            "uv.lock",
            "uv.lock",
            '[[package]]\nname = "wandb"\nversion = "0.31.0"\nsdist = { url = "https://files.pythonhosted.org'
            f'/packages/ab/cd/{draw(60, HEX)}/wandb-0.31.0.tar.gz", hash = "sha256:{draw(64, HEX)}", size = 4 }}\n',
        ),
        (
            "poetry.lock",
            "poetry.lock",
            f'[metadata]\ncontent-hash = "{draw(64, HEX)}"\n[[package]]\nname = "keyring"\n',
        ),
        (
            "dvc.lock",
            "dvc.lock",
            f"stages:\n  train:\n    deps:\n    - path: data\n      md5: {draw(32, HEX)}.dir\n      hash: md5\n",
        ),
        ("dvc file", "data.dvc", f"outs:\n- md5: {draw(32, HEX)}.dir\n  size: 3\n  path: kaggle-data\n"),
        (
            "package-lock",
            "package-lock.json",
            json.dumps(
                {
                    "packages": {
                        "node_modules/js-tokens": {"version": "4.0.0", "integrity": "sha512-" + draw(86, ALNUM) + "=="}
                    }
                }
            ),
        ),
        (
            "notebook image",
            "eda.ipynb",
            json.dumps(
                {
                    "cells": [
                        {
                            "id": draw(8, HEX),
                            "outputs": [{"data": {"image/png": "iVBORw0KGgo" + draw(4000, ALNUM + "+/")}}],
                        }
                    ]
                }
            ),
        ),
        (
            "notebook lookup",
            "kg.ipynb",
            json.dumps(
                {
                    "cells": [
                        {
                            "source": [
                                'key = UserSecretsClient().get_secret("WANDB_API_KEY")\n',
                                "wandb.login(key=key)\n",
                            ]
                        }
                    ]
                }
            ),
        ),
        (
            "coco",
            "instances.json",
            json.dumps(
                {
                    "images": [
                        {"id": 1, "file_name": f"{draw(32, HEX)}.jpg", "coco_url": f"http://x.org/{draw(40, HEX)}"}
                    ]
                }
            ),
        ),
        (
            "env example",
            ".env.example",
            "WANDB_API_KEY=your-key-here\nKAGGLE_KEY=\nHF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
            "DB_PASSWORD=changeme\nSECRET_KEY=<secret>\nGITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
        ),
        (
            "env lookups",
            "settings.py",
            'SECRET_KEY = os.environ["SECRET_KEY"]\ntoken = os.getenv("API_TOKEN")\n'
            'password = getpass("Password: ")\napi_key = config.get("api_key")\n',
        ),
        (
            "templates",
            "deploy.yml.j2",
            "password: {{ db_password }}\ntoken: ${API_TOKEN}\nkey: ${{ secrets.WANDB_API_KEY }}\n",
        ),
        (
            "workflow",
            ".github/workflows/ci.yml",
            "permissions:\n  id-token: write\nsteps:\n- uses: actions/cache@"
            f"{draw(40, HEX)}\n  with:\n    key: ${{{{ runner.os }}}}-pip-v2\n"
            "    token: ${{ secrets.GITHUB_TOKEN }}\n",
        ),
        (
            "pre-commit",
            ".pre-commit-config.yaml",
            f"repos:\n- repo: https://github.com/wandb/x\n  rev: {draw(40, HEX)}\n",
        ),
        ("git pin", "requirements.txt", f"wandb @ git+https://github.com/wandb/wandb@{draw(40, HEX)}\n"),
        (
            "kubernetes ref",
            "job.yaml",
            "env:\n- name: WANDB_API_KEY\n  valueFrom:\n    secretKeyRef:\n      name: wandb-secret\n"
            "      key: wandb-api-key\n",
        ),
        (
            "tokenizer",
            "tokenizer_config.json",
            json.dumps(
                {
                    "bos_token": "<|begin_of_text|>",
                    "pad_token": "[PAD]",
                    "eos_token": "</s>",
                    "model_max_length": 131072,
                }
            ),
        ),
        (
            "model config",
            "config.json",
            json.dumps({"num_key_value_heads": 8, "token_type_ids": 2, "_commit_hash": draw(40, HEX)}),
        ),
        ("params", "params.yaml", "wandb:\n  project: doors\n  key_metric: val/mAP50-95\nkaggle:\n  username: ada\n"),
        (
            "argparse",
            "cli.py",
            'parser.add_argument("--token", help="an access token")\nparser.add_argument("--password", type=str)\n',
        ),
        (
            "form",
            "login.html",
            '<input type="password" name="password" placeholder="Enter your password">\n<label for="token">',
        ),
        (
            "minified",
            "app.min.js",
            '!function(e){e.key="Enter",e.keyCode=13;var t={password:"password",token:n.token,secret:r(7),'
            'sortKey:"createdAt",type:"password"};return t.secretKey===e.apiKey}();',
        ),
        (
            "translations",
            "en.json",
            json.dumps({"password": "Password", "token": "Access token", "secretKey": "Secret key"}),
        ),
        ("sql", "schema.sql", "CREATE TABLE u (id int PRIMARY KEY, password varchar(64) NOT NULL, token text);\n"),
        (
            "docs url",
            "README.md",
            "postgres://user:password@localhost/db and https://<token>@github.com/ada/doors.git\n",
        ),
        (
            "public keys",
            "known.txt",
            "ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5" + draw(44, ALNUM) + " ada\npublic_key: " + draw(64, HEX) + "\n",
        ),
        ("certificate", "ca.pem", BEGIN + "CERTIFICATE-----\n" + draw(64, ALNUM) + "\n" + END + "CERTIFICATE-----\n"),
        (
            "pem marks in code",
            "pem.py",
            f'START = "{BEGIN}PRIVATE KEY-----"\nif line == "{END}PRIVATE KEY-----":\n    stop()\n',
        ),
        ("aws docs", "aws.md", "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE\n"),
        (
            "type hints",
            "types.py",
            "def login(token: str, password: str | None = None, key: Callable = lambda x: x) -> None: ...\n",
        ),
        (
            "loops",
            "loop.py",
            "for token in tokenizer.encode(text):\n    key = sorted(items, key=lambda item: item.score)\n",
        ),
        ("uuid keys", "grafana.json", json.dumps({"panels": [{"key": "0f8fad5b-d9cb-469f-a165-70867728950e"}]})),
        ("hashes", "SHA256SUMS", f"{draw(64, HEX)}  best.pt\n{draw(40, HEX)}  wandb.whl\n"),
        ("source map", "a.js.map", json.dumps({"version": 3, "mappings": draw(400, ALNUM + ",;")})),
        ("own rules", "rules.py", 'RULE = r"ghp_[A-Za-z0-9]{36}"\nOTHER = "KGAT_" + "0" * 32\n'),
        ("keras", "net.py", 'layer = MultiHeadAttention(key_dim=64, num_heads=8, name="attention_key_v2")\n'),
        ("chpasswd by variable", "user.sh", 'echo "root:$ROOT_PASSWORD" | chpasswd\n'),
        ("sentry", "errors.py", f'sentry_sdk.init(dsn="https://{draw(32, HEX)}@o1.ingest.sentry.io/2")\n'),
    ]
    for kind, path, text in texts:
        yield kind, path, text.encode()
    yield "utf-16 prose", "prose.txt", "Das Passwort: siehe Tresor. The key is under the mat.\n".encode("utf-16")
    yield "image", "door.png", b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(20_000)
