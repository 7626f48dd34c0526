"""Files as lines and numbers as integers: exact, or one sentence."""

import gzip
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.importers import reading
from backtest.importers.reading import (
    Scaled,
    decimals_in,
    decoded,
    exact_scaled,
    files_in,
    first_line,
    lines_of,
    messages_of,
    rounded_scaled,
    rows_of,
    unix_ms,
    unix_ns,
    unix_seconds,
)
from domain.errors import DataInvalid
from tests.backtest.importers_samples import cut, write


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [("1e-05", 5, 1), ("9E-5", 5, 9), ("1.5e2", 1, 1_500), ("-2e-1", 1, -2), ("109755.0", 1, 1_097_550), ("0", 3, 0)],
)
def test_number_text_is_read_exactly_with_or_without_exponent(text, decimals, value):
    assert value == exact_scaled(text, decimals)


@pytest.mark.parametrize(
    "text", ["", "nan", "NaN", "inf", "-inf", "1e", "e5", "1e999999999", "0.15", "1,5", " 1", "0x1", "1e-30000000"]
)
def test_what_is_no_number_of_the_scale_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a decimal|more than"):
        exact_scaled(text, 1)


@given(value=st.floats(min_value=1e-5, max_value=1e9, allow_nan=False))
def test_every_float_reads_back_as_its_shortest_text(value):
    text = repr(value)
    decimals = decimals_in(text)
    assert float(exact_scaled(text, decimals)) / 10**decimals == pytest.approx(value, rel=1e-15)
    if decimals:
        with pytest.raises(ValueError, match="more than"):
            exact_scaled(text, decimals - 1)


@pytest.mark.parametrize(("text", "rounded"), [("0.125", 12), ("0.135", 14), ("-0.125", -12), ("1e-9", 0), ("7", 700)])
def test_rates_and_marks_are_rounded_half_to_even(text, rounded):
    assert rounded == rounded_scaled(text, 2)


@pytest.mark.parametrize("text", ["nan", "inf", "", "x", "1e99"])
def test_rounding_refuses_what_is_no_number(text):
    with pytest.raises(ValueError, match="is not a decimal"):
        rounded_scaled(text, 2)


@pytest.mark.parametrize(
    ("text", "decimals"), [("1", 0), ("1.0", 0), ("1.50", 1), ("1e-05", 5), ("1.5e-05", 6), ("2e3", 0), ("x", 0)]
)
def test_decimals_needed_by_a_number_are_counted(text, decimals):
    assert decimals == decimals_in(text)


@pytest.mark.parametrize("text", ["nan", "1.x", "e", "-inf", "1e"])
def test_what_is_no_number_needs_no_decimals(text):
    assert 0 == decimals_in(text)


def test_scaled_numbers_are_remembered_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(reading, "REMEMBERED_MAX", 2)
    scaled = Scaled(1)
    assert [10, 20, 30, 10] == [scaled[text] for text in ("1", "2", "3", "1")]
    assert len(scaled) <= 2


@pytest.mark.parametrize("digits", ["1757000000", "1757000000000", "1757000000000000", "1757000000000000000"])
def test_unix_time_of_any_usual_length_becomes_nanoseconds(digits):
    assert 1_757_000_000_000_000_000 == unix_ns(digits)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (unix_ns, "17570000000"),
        (unix_ns, "-757000000"),
        (unix_ns, ""),
        (unix_ms, "175700000000"),
        (unix_ms, "1757000000.00"),
        (unix_seconds, "17570"),
        (unix_seconds, "nan"),
        (unix_seconds, "1757000000000"),
    ],
)
def test_what_is_no_unix_time_is_refused(read, text):
    with pytest.raises(ValueError, match="is not"):
        read(text)


def test_seconds_keep_every_digit():
    assert 1_756_904_112_546_592_700 == unix_seconds("1756904112.5465927")


def test_lines_come_numbered_from_plain_gzip_zip_and_lz4(tmp_path):
    text = b"one\r\ntwo\n"
    plain = tmp_path / "a.txt"
    plain.write_bytes(text)
    packed = tmp_path / "misnamed.txt"
    packed.write_bytes(gzip.compress(text))
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("inner", text)
    lz4 = tmp_path / "a.lz4"
    with pa.CompressedOutputStream(str(lz4), "lz4") as stream:
        stream.write(text)
    for path in (plain, packed, zipped, lz4):
        assert [(1, "one"), (2, "two")] == list(lines_of(path))
        assert "one" == first_line(path)


def corrupt_gzip(path):
    data = bytearray(gzip.compress(b"".join(b"%d\n" % number for number in range(5_000))))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def two_members(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("b", "2")


def broken_zip(path):
    path.write_bytes(b"PK\x03\x04 and then nothing of a zip")


def broken_lz4(path):
    path.write_bytes(b"\x04\x22\x4d\x18 and then nothing of lz4")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (corrupt_gzip, "compressed data is corrupt after line"),
        (two_members, "a zip of 2 files, expected one"),
        (broken_zip, "compressed data is corrupt after line 0"),
        (broken_lz4, "cannot be read after line 0"),
        (lambda path: path.write_bytes(b"fine\n\xff\xfe\n"), "not text in UTF-8"),
        (lambda path: path.mkdir(), "is a folder, expected a file"),
        (lambda path: None, "no such file or folder"),
    ],
)
def test_file_that_cannot_be_read_ends_in_one_sentence(tmp_path, make, expected):
    path = tmp_path / "data"
    make(path)
    with pytest.raises(DataInvalid, match=expected) as caught:
        list(lines_of(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(first_line(path), str)


def test_gzip_that_is_cut_off_says_after_which_line(tmp_path):
    path = cut(write(tmp_path / "a.gz", *(str(number * 7_919) for number in range(20_000))))
    with pytest.raises(DataInvalid, match=r"compressed data is cut off after line \d+"):
        list(lines_of(path))


def test_rows_need_their_header_and_skip_blank_lines(tmp_path):
    path = write(tmp_path / "a.csv", "x,y", "1,2", "", "3,4", "")
    assert [(2, ["1", "2"]), (4, ["3", "4"])] == list(rows_of(path, ("x", "y")))


@pytest.mark.parametrize(
    ("header", "expected"),
    [("x", "missing y; other order"), ("x,z", "missing y; unknown z"), ("y,x", "other order"), ("x,y,z", "unknown z")],
)
def test_rows_refuse_other_columns_and_name_them(tmp_path, header, expected):
    with pytest.raises(DataInvalid, match=expected):
        list(rows_of(write(tmp_path / "a.csv", header), ("x", "y")))


def test_rows_refuse_an_empty_file(tmp_path):
    with pytest.raises(DataInvalid, match="is empty"):
        list(rows_of(write(tmp_path / "a.csv"), ("x", "y")))


def test_short_row_is_left_out_at_the_end_and_refused_before(tmp_path):
    assert [(2, ["1", "2"])] == list(rows_of(write(tmp_path / "a.csv", "x,y", "1,2", "3"), ("x", "y")))
    with pytest.raises(DataInvalid, match="line 3: 1 cells, expected 2"):
        list(rows_of(write(tmp_path / "b.csv", "x,y", "1,2", "3", "4,5"), ("x", "y")))


def test_messages_carry_what_stands_before_them(tmp_path):
    path = write(tmp_path / "a", '12 {"a": 1}', "", '{"b": 2}')
    notes: list[str] = []
    assert [("12", {"a": 1}), ("", {"b": 2})] == [(prefix, found) for _, prefix, found in messages_of(path, notes)]
    assert [] == notes


def test_message_that_is_cut_off_is_noted_at_the_end_and_refused_before(tmp_path):
    notes: list[str] = []
    assert 1 == len(list(messages_of(write(tmp_path / "a", '{"a": 1}', '{"b": '), notes)))
    assert ["a: the last line is cut off and was left out."] == notes
    with pytest.raises(DataInvalid, match=r"line 1: not valid JSON"):
        list(messages_of(write(tmp_path / "b", '{"b": ', '{"a": 1}'), notes))


@pytest.mark.parametrize("line", ["", "[]", "1", "null", "{", "{]"])
def test_only_json_objects_are_messages(line):
    with pytest.raises(ValueError, match="not valid JSON"):
        decoded(line)


def test_files_of_a_folder_come_by_name_without_hidden_ones(tmp_path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert [tmp_path / "a", tmp_path / "b"] == files_in(tmp_path)
    assert [tmp_path / "a"] == files_in(tmp_path / "a")
    with pytest.raises(DataInvalid, match="no such file or folder"):
        files_in(tmp_path / "c")
