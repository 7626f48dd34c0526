"""`hat ledger acknowledge`: a person's word handed to the running bot, and what came of it.

Why it exists: an act that changes nothing must not look like one that did. The bot is asked before and after: where no
statement differs there is nothing to take on, and a difference that stands afterwards was not taken.

Law: nothing is handed over while there is nothing to take.
"""

from pathlib import Path
from time import sleep

import msgspec

from bot.asking import ask_status, running_url
from bot.clock import monotonic_ns
from bot.operator_acts import ACKNOWLEDGE, Act, checked, post
from domain.units import NS_PER_SECOND

ANSWER_NS = 5 * NS_PER_SECOND
PAUSE_S = 0.1


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. blocked is why the bot adds no risk now, is_refused that it looked and did not take it.

    Something else than a difference may block too: then nothing is refused.
    """

    is_taken: bool
    is_refused: bool
    mode: str
    blocked: str
    said: str


def acknowledge(state_dir: Path, reason: str) -> Acknowledged:
    """Hand a reason to the bot of a state directory, and say what it made of it.

    Raises: ConfigInvalid when no bot runs there, it cannot be asked, or the reason is not one line of text.
    """
    act = checked(Act(act=ACKNOWLEDGE, detail=reason))
    address = running_url(state_dir, "--state-dir")
    status = ask_status(address)
    mode = str(status["mode"])
    if not status.get("statement_differs"):
        blocked = str(status.get("blocked", ""))
        said = f"there is nothing unexplained to take on; nothing was changed, mode {mode}"
        said += f": {blocked}" if blocked else ""
        return Acknowledged(is_taken=False, is_refused=False, mode=mode, blocked=blocked, said=said)
    place = post(state_dir, act)
    deadline_ns = monotonic_ns() + ANSWER_NS
    while True:
        # In this order: a file that is gone was acted upon before the status that is asked next.
        is_waiting = place.exists()
        status = ask_status(address)
        differs, blocked = bool(status.get("statement_differs")), str(status.get("blocked", ""))
        if (not is_waiting and not differs) or monotonic_ns() >= deadline_ns:
            break
        sleep(PAUSE_S)
    mode = str(status["mode"])
    is_taken = not is_waiting and not differs
    if is_waiting:
        said = f"handed over: {place} waits until the bot looks, mode {mode}"
    elif differs:
        said = f"not taken, mode {mode}: {blocked}"
    else:
        said = f"taken by the bot: mode {mode}, {status.get('unexplained', '0')} USDC stay booked as unexplained"
    return Acknowledged(is_taken=is_taken, is_refused=differs and not is_waiting, mode=mode, blocked=blocked, said=said)
