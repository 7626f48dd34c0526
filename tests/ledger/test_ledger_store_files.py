"""Files appear whole or not at all."""

import os

import pytest

from domain.errors import ConfigInvalid
from ledger import store_files
from ledger.store_files import absent, in_a_folder, prepare_file, whole_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "file"
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


def test_two_at_once_never_write_one_file(tmp_path):
    path = tmp_path / "file"
    taken = pytest.raises(ConfigInvalid, match="expected a name that no other process is writing to just now")
    with whole_file("--to", path, force=False) as place:
        place.write_text("mine")
        with taken, whole_file("--to", path, force=False):
            pass
    assert ("mine", ["file"]) == (path.read_text(), names(tmp_path))


def test_file_that_got_its_name_between_two_looks_is_not_taken_for_a_new_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    flock = store_files.fcntl.flock

    def late(handle, how):
        (tmp_path / ".file.partial").rename(path)
        flock(handle, how)

    monkeypatch.setattr(store_files.fcntl, "flock", late)
    with pytest.raises(ConfigInvalid, match="no other process is writing"), whole_file("--to", path, force=False):
        pass
    assert ["file"] == names(tmp_path)


def test_folder_is_not_made_and_is_no_file(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"expected a file in a folder that exists; .*new is none"):
        in_a_folder("--to", tmp_path / "new" / "file")
    for read_only in (True, False):
        with pytest.raises(ConfigInvalid, match="expected a file; this is a folder"):
            prepare_file("ledger.url", tmp_path, read_only=read_only)
    with pytest.raises(ConfigInvalid, match="there is none yet"):
        prepare_file("ledger.url", tmp_path / "new" / "x.db", read_only=True)
    assert [] == names(tmp_path)
    prepare_file("ledger.url", tmp_path / "new" / "x.db", read_only=False)
    assert ["new"] == names(tmp_path)


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
        pytest.raises(ConfigInvalid, match=r"expected a file in a folder that exists; .*file is none"),
        whole_file("--to", wrong, force=False),
    ):
        pass
    if os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigInvalid, match="Permission denied"), whole_file("--to", tmp_path / "x", force=False):
            pass
        tmp_path.chmod(0o700)
