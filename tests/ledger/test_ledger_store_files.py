"""Files appear whole or not at all."""

import os

import pytest

from domain.errors import ConfigInvalid
from ledger.store_files import absent, whole_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "file"
    with whole_file("--out", path, force=False) as place:
        place.write_text("all of it")
        assert not path.exists()
    assert ("all of it", ["file"]) == (path.read_text(), names(path.parent))


def test_file_that_failed_leaves_nothing_and_the_old_one_stays(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), whole_file("--out", path, force=True) as place:
        place.write_text("half of what \ud800 cannot be written", encoding="utf-8")
    assert ("old", ["file"]) == (path.read_text(), names(tmp_path))


def test_what_a_killed_process_left_is_replaced(tmp_path):
    path = tmp_path / "file"
    (tmp_path / ".file.partial").write_text("half of another time")
    with whole_file("--out", path, force=False) as place:
        assert not place.read_text()
    assert ["file"] == names(tmp_path)


def test_taken_name_is_refused(tmp_path):
    path = tmp_path / "file"
    absent("--out", path, force=False)
    path.write_text("mine")
    absent("--out", path, force=True)
    with pytest.raises(
        ConfigInvalid, match=r"--out = .*file': expected a name that is free; or say --force to replace"
    ):
        absent("--out", path, force=False)
    with pytest.raises(ConfigInvalid, match="expected a file; this is a folder"):
        absent("--out", tmp_path, force=True)


def test_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("no folder")
    wrong = tmp_path / "file" / "below"
    with (
        pytest.raises(ConfigInvalid, match="expected a place that can be written"),
        whole_file("--to", wrong, force=False),
    ):
        pass
    if os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigInvalid, match="Permission denied"), whole_file("--to", tmp_path / "x", force=False):
            pass
        tmp_path.chmod(0o700)
