"""The one door: every layout is told apart, and what is none is refused in a sentence that helps."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest.importers.layouts import LAYOUTS, detect, load
from backtest.importers.recording import fixed_tick_instrument
from backtest.importers.tardis_csv import TRADES
from domain.errors import DataInvalid
from exchange.feeds.recorded import Admission
from tests.archive_files import HOUR, block_line, both_sides, ms_of
from tests.backtest.importers_samples import (
    book_message,
    book_row,
    bybit_message,
    cut,
    hyperliquid_folder,
    tick_message,
    write,
)
from tests.backtest.test_importers_standx import trades as standx_trades

DEPTH_HEADER = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu"
DAMAGE = b'0123456789.,-+eE"[]{}:nXa \x00\xff\n'
SAMPLES = {
    "hyperliquid_archive": lambda folder: (
        write(folder / "8.jsonl", block_line(HOUR, 0, *both_sides(ms_of(HOUR), 1))).parent
    ),
    "hyperliquid_csv": lambda folder: hyperliquid_folder(folder, books=(book_row(),)),
    "hyperliquid_ws": lambda folder: write(folder / "a.jsonl", book_message()).parent,
    "binance_ws": lambda folder: write(folder / "a.gz", tick_message(0)).parent,
    "standx_parquet": lambda folder: standx_trades(folder, (0, 1.0, 1.0, "BUY")),
    "tardis_csv": lambda folder: (
        write(folder / "a.csv", ",".join(TRADES), "x,BTC,1757000000000000,1757000000000000,1,buy,1,1").parent
    ),
    "binance_csv": lambda folder: (
        write(folder / "a.csv", DEPTH_HEADER, "BTCUSDT,1757000000000,1,1,b,snap,1,1,-1").parent
    ),
    "bybit_ob500": lambda folder: write(folder / "a.data", bybit_message(0, 1, "snapshot", [["1", "1"]])).parent,
}


def test_every_layout_has_a_sample_here():
    assert set(LAYOUTS) == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_layout_is_told_by_folder_and_by_file_and_loads(tmp_path, name):
    folder = SAMPLES[name](tmp_path)
    (path,) = folder.iterdir()
    assert (name, name) == (detect(folder).name, detect(path).name)
    recording = load(folder)
    assert name == recording.layout
    assert recording.events
    assert recording.instruments[0].symbol == load(path, recording.instruments[0].symbol).instruments[0].symbol


def refused(path):
    with pytest.raises(DataInvalid) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_layout_is_refused_and_the_known_ones_are_named(tmp_path):
    text = refused(write(tmp_path / "candles.csv", "date,open,high"))
    assert "unknown layout (it begins 'date,open,high')" in text
    assert all(name in text for name in LAYOUTS)


@pytest.mark.parametrize("data", [b"PAR1\x15\x04\xff\xfe", b"\xff\xff", b"\n"])
def test_bytes_of_no_layout_are_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    assert "unknown layout" in refused(tmp_path / "a")


def test_empty_missing_and_cut_off_files_say_what_they_are(tmp_path):
    (tmp_path / "empty").touch()
    assert f"{tmp_path / 'empty'}: is empty" == refused(tmp_path / "empty")
    assert "no such file or folder" in refused(tmp_path / "missing")
    path = write(tmp_path / "cut.gz", "header")
    assert "compressed data is cut off after line 0" in refused(cut(path, 0.4))


def test_folder_of_folders_names_those_to_try(tmp_path):
    assert "holds no files; known layouts" in refused(tmp_path)
    (tmp_path / "2025-09-04").mkdir()
    (tmp_path / ".hidden").mkdir()
    assert "holds no files, but folders to try: 2025-09-04;" in refused(tmp_path)
    (tmp_path / "readme").write_text("hello\n")
    assert "holds no files of a known layout, but folders to try: 2025-09-04;" in refused(tmp_path)


@pytest.mark.parametrize(
    ("prices", "tick", "decimals"),
    [
        ([f"{100 + step / 2}" for step in range(30)], 50, 2),
        ([f"{step * 25}" for step in range(1, 30)], 50, 1),
        ([f"{step * 2000}" for step in range(1, 30)], 20_000, 1),
        ([f"{step / 100}" for step in range(1, 30)], 10, 3),
        (["93000.0"], 10, 1),
        (["nan"], 10, 1),
        ([], 10, 1),
    ],
)
def test_tick_is_the_usual_step_that_enough_prices_share(prices, tick, decimals):
    instrument = fixed_tick_instrument("here", "X", 0, prices, ["1"])
    assert (tick, decimals) == (instrument.tick_min, instrument.price_decimals)


def test_instrument_finer_than_money_is_refused():
    with pytest.raises(DataInvalid, match=r"here: X: 6 price and 3 size decimals"):
        fixed_tick_instrument("here", "X", 0, ["0.000001"], ["0.001"])
    assert 5 == fixed_tick_instrument("here", "X", 0, ["0.00001"], ["0.001"]).price_decimals


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.randoms(use_true_random=False), hits=st.integers(1, 6))
def test_damaged_files_end_in_a_recording_or_in_one_sentence(tmp_path, name, chosen, hits):
    """Bytes changed, removed and repeated at random places: whatever happens, it is not a traceback."""
    (path,) = SAMPLES[name](tmp_path).iterdir()
    packed = path.read_bytes()
    data = bytearray(gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed)
    for _ in range(hits):
        place = chosen.randrange(len(data) or 1)
        match chosen.randrange(4):
            case 0:
                data[place : place + 1] = bytes([chosen.choice(DAMAGE)])
            case 1:
                del data[place : place + chosen.randrange(1, 9)]
            case 2:
                data[place:place] = data[place : place + chosen.randrange(1, 40)]
            case _:
                data[place:place] = chosen.choice([b"nan", b"-", b"null", b'"', b",", b"\n", b"1e9", b"[]", b"{}"])
    path.write_bytes(bytes(data))
    try:
        recording = LAYOUTS[name].load(path, None)
        admission = Admission({instrument.symbol: instrument for instrument in recording.instruments})
        for event in recording.events:
            admission.admit(event)
    except DataInvalid as trouble:
        assert "\n" not in str(trouble)  # noqa: PT017 - both ends are right; only their shape is asserted
