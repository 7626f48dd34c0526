"""Kill switch: latched, first reason kept, released only on purpose."""

import msgspec

from domain.reasons import Reason
from risk.kill_switch import KillSwitch, KillSwitchState


def test_kill_switch_engages_once_and_keeps_its_first_reason():
    switch = KillSwitch()
    assert not switch.is_engaged
    assert switch.engage(Reason.HALTED_BY_DRAWDOWN, "drawdown 5.1 %")
    assert not switch.engage(Reason.HALTED_BY_OPERATOR, "me too")
    assert switch.is_engaged
    assert (switch.reason, switch.detail, switch.flatten) == (Reason.HALTED_BY_DRAWDOWN, "drawdown 5.1 %", False)


def test_kill_switch_learns_to_flatten_but_never_unlearns():
    switch = KillSwitch()
    switch.engage(Reason.HALTED_BY_DRAWDOWN, "drawdown")
    switch.engage(Reason.HALTED_BY_OPERATOR, "close it", flatten=True)
    switch.engage(Reason.HALTED_BY_MARGIN, "margin")
    assert switch.flatten


def test_kill_switch_releases_only_when_engaged():
    switch = KillSwitch()
    assert not switch.reset("nothing to do")
    assert switch.detail == ""
    switch.engage(Reason.HALTED_BY_OPERATOR, "look", flatten=True)
    assert switch.reset("looked")
    assert switch.snapshot() == KillSwitchState(detail="looked")


def test_kill_switch_stays_engaged_through_a_restart():
    switch, restored = KillSwitch(), KillSwitch()
    switch.engage(Reason.HALTED_BY_INVARIANT, "sums to 1", flatten=True)
    restored.restore(msgspec.json.decode(msgspec.json.encode(switch.snapshot()), type=KillSwitchState))
    assert restored.is_engaged
    assert restored.snapshot() == switch.snapshot()
