"""Misfortune is drawn from its seed, counted, and never invents or loses a message it did not mean to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigInvalid
from domain.units import NS_PER_SECOND
from services.venue_server.fate import CALM
from services.venue_server.misfortune import MILLION, USER_CHANNELS, Misfortune, MisfortuneSettings, settings_from

SECOND = NS_PER_SECOND
FILLS = b'{"channel":"userFills","data":{"user":"0x1","fills":[%d]}}'
BOOK = b'{"channel":"l2Book","data":{"time":%d}}'
SNAPSHOT = b'{"channel":"userFills","data":{"isSnapshot":true,"user":"0x1","fills":[]}}'
ACKNOWLEDGED = b'{"channel":"subscriptionResponse","data":{}}'


def misfortune(**keys):
    return Misfortune(settings_from(keys))


def fates(bad_luck, count=200, *, is_action=True):
    return [bad_luck.of_request(is_action=is_action) for _ in range(count)]


def test_nothing_goes_wrong_unless_told():
    calm = misfortune()
    frames = [(1, FILLS % 1), (1, SNAPSHOT)]
    assert [CALM] * 200 == fates(calm)
    assert frames == calm.of_frames(frames)
    assert {} == calm.of_lines([1, 2], SECOND)
    assert {} == calm.counts


def test_same_seed_gives_the_same_fates_and_another_seed_others():
    keys = {"too_many": 100_000, "silent": 200_000, "late": 300_000}
    first, again, other = (fates(misfortune(seed=seed, **keys)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_shares_are_kept_and_every_misfortune_is_counted():
    bad_luck = misfortune(too_many=250_000, silent=250_000)
    told = fates(bad_luck, 4_000)
    refused = [fate for fate in told if fate.answer is not None]
    assert (bad_luck.counts["too_many"], bad_luck.counts["silent"]) == (
        len(refused),
        sum(fate.is_silent for fate in told),
    )
    assert 900 < len(refused) < 1_100
    assert {429} == {fate.answer.status for fate in refused}


def test_requests_that_trade_nothing_can_be_spared():
    bad_luck = misfortune(internal_error=MILLION, actions_only=True)
    assert [CALM] * 3 == fates(bad_luck, 3, is_action=False)
    assert [500] * 3 == [fate.answer.status for fate in fates(bad_luck, 3)]


def test_fates_carry_their_times():
    (late,) = fates(misfortune(late=MILLION, late_ms=7), 1)
    (slow,) = fates(misfortune(slow=MILLION, slow_ms=8), 1)
    (silent,) = fates(misfortune(silent=MILLION, silent_ms=9), 1)
    assert (7_000_000, 0, False) == (late.late_ns, late.wait_ns, late.is_silent)
    assert (0, 8_000_000, False) == (slow.late_ns, slow.wait_ns, slow.is_silent)
    assert (9_000_000, 0, True) == (silent.late_ns, silent.wait_ns, silent.is_silent)


def test_one_more_request_shifts_no_socket_and_no_frame():
    keys = {"drop": 300_000, "duplicate": 300_000, "late": 300_000}
    quiet, busy = misfortune(**keys), misfortune(**keys)
    fates(busy, 50)
    frames = [(1, FILLS % number) for number in range(50)]
    assert quiet.of_frames(frames) == busy.of_frames(frames)
    assert [quiet.of_lines([1], second * SECOND) for second in range(50)] == [
        busy.of_lines([1], second * SECOND) for second in range(50)
    ]


def test_sockets_are_drawn_once_a_second():
    bad_luck = misfortune(drop=MILLION)
    assert bad_luck.of_lines([1], SECOND)[1].is_dropped
    assert {} == bad_luck.of_lines([1], 2 * SECOND - 1)
    assert bad_luck.of_lines([1], 2 * SECOND)[1].is_dropped
    bad_luck.forget(1)
    assert bad_luck.of_lines([1], 2 * SECOND)[1].is_dropped


def test_stall_lasts_from_now():
    (fate,) = misfortune(stall=MILLION, stall_ms=2_000).of_lines([9], SECOND).values()
    assert (False, 3 * SECOND) == (fate.is_dropped, fate.stalled_until_ns)


def test_all_sockets_can_be_dropped_once_and_stalled_for_a_time():
    calm = misfortune()
    calm.drop_all()
    assert [True, True] == [fate.is_dropped for fate in calm.of_lines([1, 2], 0).values()]
    assert {} == calm.of_lines([1, 2], 1)
    calm.stall_all(5)
    assert [5, 5] == [fate.stalled_until_ns for fate in calm.of_lines([1, 2], 4).values()]
    assert {} == calm.of_lines([1, 2], 5)
    assert {"drop": 2, "stall": 1} == calm.counts


def test_user_messages_are_repeated_and_market_data_never():
    sent = misfortune(duplicate=MILLION).of_frames([(1, FILLS % 1), (1, BOOK % 2)])
    assert [(1, FILLS % 1), (1, FILLS % 1), (1, BOOK % 2)] == sent


def test_user_messages_of_one_socket_swap_places_and_nothing_else_does():
    swaps = misfortune(reorder=MILLION)
    assert [(1, FILLS % 2), (1, FILLS % 1)] == swaps.of_frames([(1, FILLS % 1), (1, FILLS % 2)])
    for frames in (
        [(1, FILLS % 1), (2, FILLS % 2)],
        [(1, BOOK % 1), (1, FILLS % 2)],
        [(1, ACKNOWLEDGED), (1, SNAPSHOT)],
        [(1, FILLS % 1)],
    ):
        assert frames == swaps.of_frames(frames)


def test_snapshots_of_users_are_left_out():
    sent = misfortune(skip_snapshot=MILLION).of_frames([(1, ACKNOWLEDGED), (1, SNAPSHOT), (1, FILLS % 1)])
    assert [(1, ACKNOWLEDGED), (1, FILLS % 1)] == sent


@given(
    st.integers(0, 9),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 99), st.booleans()), max_size=30),
)
def test_frames_are_repeated_or_swapped_but_none_is_invented_or_lost(seed, drawn):
    frames = [(to, (FILLS if is_user else BOOK) % number) for to, number, is_user in drawn]
    bad_luck = misfortune(seed=seed, duplicate=300_000, reorder=300_000)
    sent = bad_luck.of_frames(frames)
    assert set(frames) == set(sent)
    assert len(frames) + bad_luck.counts.get("duplicate", 0) == len(sent)
    for connection in (1, 2, 3):
        market = [one for one in frames if one[0] == connection and not one[1].startswith(USER_CHANNELS)]
        assert market == [one for one in sent if one[0] == connection and not one[1].startswith(USER_CHANNELS)]


def test_upgrade_and_halt_last_from_their_beginning():
    bad_luck = misfortune(upgrade_ms=2_000, halt_ms=1_000)
    bad_luck.begin(10 * SECOND)
    assert (True, True) == (bad_luck.is_post_only(11 * SECOND - 1), bad_luck.is_halted(11 * SECOND - 1))
    assert (True, False) == (bad_luck.is_post_only(11 * SECOND), bad_luck.is_halted(11 * SECOND))
    assert not bad_luck.is_post_only(12 * SECOND)


def test_change_begins_at_the_seed_again():
    settings = MisfortuneSettings(silent=500_000)
    bad_luck = Misfortune(settings)
    first = fates(bad_luck)
    bad_luck.change(settings)
    assert first == fates(bad_luck)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"silent": -1}, "misfortune.silent"),
        ({"silent": MILLION + 1}, "0..1000000"),
        ({"silent": "often"}, "Expected `int`"),
        ({"quiet": 1}, "quiet"),
        ({"late": 600_000, "slow": 600_000}, "together"),
        ({"halt_ms": 86_400_001}, "misfortune.halt_ms"),
        ({"skew_ms": -86_400_001}, "misfortune.skew_ms"),
        ({"seed": -1}, "misfortune.seed"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(keys, said):
    with pytest.raises(ConfigInvalid, match=said):
        settings_from(keys)
