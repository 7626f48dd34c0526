"""`hat doctor`: every check before the first order, one line each, all of them however the earlier ones went.

Theory of operation. First this machine (`doctor_place`), then the key, then the venue (`doctor_venue`,
`doctor_instruments`). A network that is simulated has no venue to ask, and needs no key: that is said, not hidden.

Laws: nothing is signed, nothing is sent but questions; the key is read, its address kept, and the key let go.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from bot.config import DEFAULT_FILE, HatConfig, config_hash, strategy
from bot.config_sections import NetworkName
from bot.doctor_instruments import instrument_findings
from bot.doctor_place import (
    database_finding,
    disk_finding,
    key_place_finding,
    nonce_findings,
    port_finding,
    state_finding,
    telemetry_finding,
)
from bot.doctor_venue import Venue, account_findings, network_findings
from bot.findings import Finding, failed, guarded, of_error, ok, skipped
from bot.keys import address_of, quiet, read_key
from bot.networks import network_of
from domain.errors import DataInvalid, HouseError
from exchange.hyperliquid.questions import Questions

HASH_CHARS = 12
TIMEOUT_SECONDS = 5.0
VENUE_CHECKS = ("key", "network", "clock", "account", "agent", "account mode", "balance", "open orders", "rate budget")


def examine(
    config: HatConfig,
    clock: Callable[[], int],
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    ask: Callable[[], str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> list[Finding]:
    """Return every finding, in the order in which a person would mend them.

    clock: nanoseconds since 1970. ask: how a person is asked for the keystore's passphrase. timeout_seconds bounds each
    question.
    """
    findings = [
        _configuration(config, file),
        *guarded("state directory", lambda: state_finding(config)),
        *guarded("disk", lambda: disk_finding(config)),
        *guarded("database", lambda: database_finding(config)),
        *guarded("telemetry", lambda: telemetry_finding(config, timeout_seconds)),
        *guarded("monitoring page", lambda: port_finding(config)),
    ]
    if config.network.name is NetworkName.SIMULATED:
        findings.append(skipped("venue", "network.name is simulated: there is no venue to ask and no key to hold"))
        return findings
    signer = _key(config, environ, ask, findings)
    if signer:
        findings += guarded("nonces", lambda: nonce_findings(signer, environ, clock))
    findings += _venue(config, clock, signer, timeout_seconds)
    return findings


def unreadable(error: HouseError) -> list[Finding]:
    """Return what is said when the configuration itself cannot be used."""
    return [of_error("configuration", error), skipped("everything else", "it depends on the configuration")]


def _configuration(config: HatConfig, file: Path | None) -> Finding:
    place = file if file is not None else DEFAULT_FILE
    source = str(place) if place.exists() else "no file, defaults and environment"
    traded = ", ".join(config.market.instruments)
    name = getattr(config.strategy, "name", type(strategy(config)).__name__)
    told = f"{source}: network {config.network.name.value}, {name} on {traded}, hash {config_hash(config)[:HASH_CHARS]}"
    if config.network.name is NetworkName.MAINNET:
        told += "; real money: `hat run` wants --confirm-mainnet"
    return ok("configuration", told)


def _key(
    config: HatConfig,
    environ: Mapping[str, str] | None,
    ask: Callable[[], str] | None,
    findings: list[Finding],
) -> str:
    """Add what is to be said of the key; return its address, empty when there is no usable key."""
    section = config.network
    findings += guarded("key file", lambda: key_place_finding(config, quiet(environ)))
    try:
        signer = address_of(
            read_key(
                Path(section.key_file) if section.key_file else None,
                Path(section.keystore) if section.keystore else None,
                environ,
                ask,
            )
        )
    except HouseError as error:
        findings.append(of_error("key", error))
        return ""
    findings.append(ok("key", f"signs as {signer}"))
    return signer


def _venue(config: HatConfig, clock: Callable[[], int], signer: str, timeout_seconds: float) -> list[Finding]:
    """Return what the venue says."""
    account = config.network.account
    try:
        network = network_of(config)
        questions = Questions(network.http_url, timeout_seconds=timeout_seconds)
        venue = Venue(config, questions, clock, account, signer)
        findings = network_findings(venue)
    except DataInvalid as error:
        fix = "Check network.url, the line and the venue's status page; `hat check connectivity` shows where it ends."
        if config.network.name is NetworkName.LOCAL:
            fix = "Start `hat venue`, or correct network.url; `hat check connectivity` shows where it ends."
        rest = [skipped(name, "the venue does not answer") for name in (*VENUE_CHECKS[2:], *config.market.instruments)]
        return [of_error("network", error, fix), *rest]
    except HouseError as error:
        return [of_error("network", error)]
    if account:
        findings += account_findings(venue)
    else:
        fix = "Set network.account to the address of the account that trades: the master's, not the agent's."
        findings.append(failed("account", "network.account is not set", fix))
        findings += [skipped(name, "no account is configured") for name in VENUE_CHECKS[4:]]
    return [*findings, *instrument_findings(venue)]
