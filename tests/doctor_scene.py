"""A configuration that `hat doctor` finds well, beside a venue on loopback that a test can spoil."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bot.clock import now_ns
from bot.config import load
from bot.doctor import examine
from tests.asked_venue import ACCOUNT, AGENT_KEY, AskedVenue, asked_venue

NAMES = [
    "configuration",
    "state directory",
    "disk",
    "database",
    "telemetry",
    "monitoring page",
    "key file",
    "key",
    "nonces",
    "lease",
    "network",
    "clock",
    "account",
    "agent",
    "account mode",
    "balance",
    "positions",
    "open orders",
    "rate budget",
    "BTC",
    "BTC leverage",
]


class DoctorScene:
    """Calling it examines a configuration against the venue and returns the findings by name."""

    def __init__(self, venue: AskedVenue, place) -> None:
        self.venue, self.place = venue, place
        self.findings = []

    def __call__(self, environ=None, **sections):
        overrides = {
            "bot": {"state_dir": str(self.place / "state")},
            "market": {"instruments": ["BTC"]},
            "monitoring": {"port": 0},
            "network": {"name": "local", "url": self.venue.url, "account": ACCOUNT},
        }
        for section, keys in sections.items():
            overrides[section] = {**overrides.get(section, {}), **keys}
        if environ is None:
            environ = {"XDG_STATE_HOME": str(self.place), "HAT_AGENT_KEY": AGENT_KEY}
        self.findings = examine(load(None, overrides), now_ns, environ=environ, timeout_seconds=2.0)
        return {one.name: one for one in self.findings}


@contextmanager
def doctor_scene(place, monkeypatch) -> Iterator[DoctorScene]:
    """Give a scene in an empty directory, without any HAT_ variable."""
    for name in [one for one in os.environ if one.startswith("HAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(place)
    with asked_venue() as venue:
        yield DoctorScene(venue, place)


def line(finding):
    """What a finding says: verdict, found, fix."""
    return (finding.verdict.value, finding.found, finding.fix)
