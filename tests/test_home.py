"""The user's folder, and a machine on which nothing can be written."""

import errno
import json
import os

import pytest
import typer

from containerid.command import speaking
from containerid.console import Manner
from containerid.errors import CidError
from containerid.home import Home, keep


def test_a_folder_that_cannot_be_made_is_one_line_with_what_mends_it(tmp_path):
    (tmp_path / "cid").write_text("a file in the way")
    with pytest.raises(CidError, match=r"cid/uploads cannot be made: Not a directory") as caught:
        Home(tmp_path / "cid").folder("uploads")
    assert "CID_HOME" in caught.value.hint


def test_two_processes_that_write_one_file_do_not_take_each_others_draft(tmp_path):
    path = tmp_path / "note.json"
    child = os.fork()
    if child == 0:
        for _ in range(50):
            keep(path, b"child" * 100)
        os._exit(0)
    for _ in range(50):
        keep(path, b"other" * 100)
    assert os.waitpid(child, 0)[1] == 0
    assert path.read_bytes() in {b"child" * 100, b"other" * 100}
    assert not list(tmp_path.glob(".note*"))


def test_a_full_disk_is_no_defect_of_cid(capfd):
    with pytest.raises(typer.Exit) as ended, speaking(Manner(as_json=True)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/parts")
    error = json.loads(capfd.readouterr().out)["error"]
    assert (ended.value.exit_code, error["message"]) == (
        1,
        "this machine's disk takes no more at /data/parts: No space left on device",
    )
    with pytest.raises(OSError, match="Bad file"), speaking(Manner()):
        raise OSError(errno.EBADF, "Bad file descriptor")
