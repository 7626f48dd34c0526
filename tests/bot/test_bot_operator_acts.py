"""The mailbox of operators: what a person posts arrives once, and nothing else does."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import operator_acts
from bot.operator_acts import Act, Mailbox, Refused, checked, post
from domain.errors import ConfigInvalid


@pytest.fixture
def box(tmp_path, monkeypatch):
    monkeypatch.setattr(operator_acts, "LOOK_NS", 0)
    (tmp_path / "acts").mkdir()
    return Mailbox(tmp_path)


def an_act(detail="looked at it"):
    return Act(act="acknowledge", detail=detail)


def test_act_arrives_once_private_and_whole(box, tmp_path) -> None:
    place = post(tmp_path, an_act('a deposit nobody told us of; "quoted" $(rm -rf) \' \\ é'))

    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [one.name for one in place.parent.iterdir()] == [place.name]
    assert box.take() == [an_act('a deposit nobody told us of; "quoted" $(rm -rf) \' \\ é')]
    assert box.take() == []
    assert not place.exists()


def test_mailbox_makes_itself_when_it_is_not_there_and_is_private(tmp_path) -> None:
    assert Mailbox(tmp_path).take() == []
    place = post(tmp_path, an_act())

    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_acts_come_in_the_order_they_were_posted(box, tmp_path) -> None:
    for number in range(5):
        post(tmp_path, an_act(f"number {number}")).rename(tmp_path / "acts" / f"{number}.json")

    assert [one.detail for one in box.take()] == [f"number {number}" for number in range(5)]


def test_mailbox_is_looked_into_at_most_twice_a_second(tmp_path) -> None:
    box = Mailbox(tmp_path)
    assert box.take() == []
    post(tmp_path, an_act())

    assert box.take() == []
    assert (tmp_path / "acts").stat().st_size > 0
    assert len(list((tmp_path / "acts").iterdir())) == 1


def test_flood_is_taken_in_portions(box, tmp_path) -> None:
    for number in range(40):
        (tmp_path / "acts" / f"{number:03}.json").write_text("{}")

    assert [len(box.take()) for _ in range(4)] == [16, 16, 8, 0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "truncated"),
        (b"{}", "missing required field"),
        (b'{"act": "flatten", "detail": "x"}', "act = 'flatten': expected acknowledge"),
        (b'{"act": "acknowledge", "detail": " "}', "reason = ' ': expected 1 to 500 printable characters"),
        (b'{"act": "acknowledge", "detail": "two\\nlines"}', "expected 1 to 500 printable characters"),
        (b'{"act": "acknowledge", "detail": "x", "more": 1}', "unknown field"),
        (b'{"act": "acknowledge", "detail": "\xff"}', ""),
        (b"[" * 4_000, ""),
        (b" " * 5_000, "it has 5000 bytes, more than 4096"),
    ],
)
def test_file_that_is_no_act_is_removed_and_told(box, tmp_path, content, problem) -> None:
    place = tmp_path / "acts" / "1.json"
    place.write_bytes(content)

    (found,) = box.take()
    assert isinstance(found, Refused)
    assert found.name == "1.json"
    assert problem in found.problem
    assert not place.exists()


def test_links_pipes_and_folders_are_never_read(box, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b'{"act": "acknowledge", "detail": "by a link"}')
    acts = tmp_path / "acts"
    (acts / "1.json").symlink_to(secret)
    os.mkfifo(acts / "2.json")
    (acts / "3.json").mkdir()

    found = box.take()
    assert [type(one) for one in found] == [Refused] * 3
    assert "regular file" in found[1].problem
    assert found[2].problem == "it cannot be removed, so it is not acted upon"
    assert secret.exists()
    assert [one.name for one in acts.iterdir()] == ["3.json"]


def test_half_written_files_and_strangers_are_left_alone(box, tmp_path) -> None:
    (tmp_path / "acts" / "1.new").write_text("{")
    assert box.take() == []
    assert (tmp_path / "acts" / "1.new").exists()


def test_file_of_another_user_is_refused(box, tmp_path, monkeypatch) -> None:
    post(tmp_path, an_act())
    monkeypatch.setattr(operator_acts.os, "geteuid", lambda: os.getuid() + 1)

    (found,) = box.take()
    assert isinstance(found, Refused)
    assert "our own user" in found.problem


def test_acts_left_for_another_bot_are_cleared_and_named(box, tmp_path) -> None:
    place = post(tmp_path, an_act())

    assert box.clear() == [place.name]
    assert box.take() == []


def test_place_that_cannot_be_written_is_refused_in_one_sentence(tmp_path) -> None:
    (tmp_path / "acts").write_text("a file")

    with pytest.raises(ConfigInvalid, match=r"bot.state_dir = .*acts.*: expected a place that can be written"):
        post(tmp_path, an_act())


@given(st.text(max_size=600))
def test_every_reason_is_taken_as_it_is_or_refused(words) -> None:
    try:
        kept = checked(an_act(words)).detail
    except ConfigInvalid:
        kept = None
    is_legal = bool(words.strip()) and len(words) <= 500 and words.isprintable()
    assert kept == (words if is_legal else None)
