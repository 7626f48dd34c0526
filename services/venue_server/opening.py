"""Opens a venue server: accounts, market, counters, channels, misfortune, put together from settings.

Law: the same settings, accounts and feed give the same venue; asset ids are the places in the list of instruments, as
on the wire.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from domain.events import MarketEvent
from domain.instrument import Instrument
from exchange.simulated.settings import FULL_RULES, Rules, VenueSettings
from exchange.simulated.venue import Venue
from services.venue_server.accounts_file import OpeningAccount
from services.venue_server.counter import Counter
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.hall import Hall
from services.venue_server.info import InfoDesk
from services.venue_server.ip_limits import IpLimits
from services.venue_server.misfortune import Misfortune, MisfortuneSettings
from services.venue_server.pushes import ChannelSettings
from services.venue_server.registry import Registry
from services.venue_server.subscriptions import Channels

LEVERAGE = 20
"""What a coin's leverage is before anybody set it, capped by the coin. Source: HYPERLIQUID 2.4 (recorded states)."""

UNLIMITED = 2**31 - 1


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a venue server can be told, files read."""

    seed: int = 1
    counter: CounterSettings = CounterSettings()
    ip_limits: IpLimits = IpLimits()
    channels: ChannelSettings = ChannelSettings()
    """What a visitor may have open is taken from ip_limits."""
    misfortune: MisfortuneSettings = MisfortuneSettings()
    rules: Rules = FULL_RULES


def numbered(instruments: Sequence[Instrument]) -> tuple[Instrument, ...]:
    """Return the instruments with their places as asset ids."""
    return tuple(replace(one, asset_id=number) for number, one in enumerate(instruments))


def open_hall(
    settings: ServerSettings,
    instruments: Sequence[Instrument],
    accounts: Sequence[OpeningAccount],
    feed: Iterator[MarketEvent],
    now_ns: int,
) -> Hall:
    """Return a venue at now_ns, accounts funded, ready for its first visitor."""
    listed = {one.symbol: one for one in numbered(instruments)}
    registry = Registry()
    misfortune = Misfortune(settings.misfortune)
    misfortune.begin(now_ns)
    channels = Channels(_channel_settings(settings.channels, settings.ip_limits))
    venue = Venue(listed, VenueSettings(leverage=LEVERAGE, seed=settings.seed, rules=settings.rules), channels)
    venue.on_time(now_ns)
    counter = Counter(venue, registry, settings.counter, misfortune)
    info = InfoDesk(venue, registry, channels.tape, counter.limits)
    hall = Hall(venue, feed, counter, info, channels, misfortune, settings.ip_limits)
    channels.open(info, hall.posted)
    hall.now_ns = now_ns
    for account in accounts:
        hall.open_account(account)
    return hall


def _channel_settings(channels: ChannelSettings, limits: IpLimits) -> ChannelSettings:
    """Return what a visitor's sockets may ask for, as the limits of his address say."""
    if not limits.is_on:
        return replace(channels, users_max=UNLIMITED, subscriptions_max=UNLIMITED, posts_max=UNLIMITED)
    return replace(
        channels,
        users_max=limits.users_max,
        subscriptions_max=limits.subscriptions_max,
        posts_max=limits.posts_in_flight_max,
    )
