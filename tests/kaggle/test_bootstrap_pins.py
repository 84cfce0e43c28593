"""What was installed is asked for where it came from: its name may be somebody else's in an index."""

import importlib.metadata
import json
from typing import Any

import pytest
from fakes.kernels import write_tree

from containerid.kaggle.bootstrap import pins

COMMIT = {"vcs": "git", "commit_id": "abc", "requested_revision": "v1"}


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "door-lib==1.0+local.1"),
        ([], "door-lib==1.0+local.1"),
        ({"url": "file:///tmp/doors", "dir_info": {}}, "door-lib==1.0+local.1"),
        (
            {"url": "https://example.com/doors.git", "vcs_info": COMMIT},
            "door-lib @ git+https://example.com/doors.git@abc",
        ),
        (
            {"url": "ssh://git@example.com/doors.git", "vcs_info": COMMIT},
            "door-lib @ git+ssh://git@example.com/doors.git@abc",
        ),
        (
            {"url": "https://ada:" + "p" * 20 + "@example.com/d.zip", "archive_info": {"hash": "sha256=1"}},
            "door-lib @ https://example.com/d.zip",
        ),
    ],
)
def test_a_package_is_asked_for_where_it_came_from(tmp_path, origin: Any, line: str):
    info = "Door_Lib-1.0+local.1.dist-info"
    files = {f"{info}/METADATA": "Metadata-Version: 2.1\nName: Door_Lib\nVersion: 1.0+local.1\n"}
    files |= {f"{info}/direct_url.json": json.dumps(origin)} if origin is not None else {}
    (found,) = importlib.metadata.distributions(path=[str(write_tree(tmp_path, files))])
    assert pins.pin(found) == line
    pins.write_pins(tmp_path, "r1", {"door-lib": line})
    assert pins.read_pins("r1", tmp_path) == {"door-lib": line}


def test_a_run_that_has_installed_nothing_leaves_nothing(tmp_path):
    pins.write_pins(tmp_path, "r1", {})
    assert pins.read_pins("r1", tmp_path) == {}
    assert not (tmp_path / pins.PACKAGES).exists()
