"""The real `hat venue` in a process of its own, and other people's clients that trade there."""

import json
import os
import re
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from hashlib import sha256

import requests
from eth_account import Account as Wallet
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from tests.bot_runs import started_hat

READY_SECONDS, END_SECONDS, WAIT_SECONDS, REQUEST_SECONDS = 60, 20, 15, 20
CHUNK = 65_536


def wallet(name):
    """Return the wallet of a name: its key is the hash of it."""
    return Wallet.from_key(sha256(name.encode()).digest())


def address(owner):
    """Return an address as the venue writes it."""
    return owner.address.lower()


def accounts_file(folder, *names, usdc="1000000", agents=None):
    """Write an accounts.toml of the wallets of these names; agents: name of the account -> name of its agent."""
    lines = []
    for name in names:
        lines += ["[[account]]", f'address = "{wallet(name).address}"', f'usdc = "{usdc}"', f'name = "{name}"']
        if agents and name in agents:
            lines += ["[[account.agent]]", f'address = "{wallet(agents[name]).address}"', f'name = "{agents[name]}"']
    place = folder / "accounts.toml"
    place.write_text("\n".join(lines) + "\n")
    return place


def until(found, what, seconds=WAIT_SECONDS):
    """Ask again until something is found, and return it."""
    ends = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        assert time.monotonic() < ends, f"waited {seconds} s for {what}"
        time.sleep(0.01)


class Stream:
    """What one subscription of the SDK was sent, in order."""

    def __init__(self):
        self.messages = []

    def __call__(self, message):
        self.messages.append(message)

    def data(self):
        return [message["data"] for message in list(self.messages)]

    def wait(self, test=bool, what="a message"):
        """Return the first data that passes a test."""
        return until(lambda: next((data for data in self.data() if test(data)), None), what)


class VenueProcess:
    """A running `hat venue`: where it is, who has money there, and clients of it, all closed at the end."""

    def __init__(self, process, ready):
        self.process = process
        self.url = ready["url"]
        self.account, self.secret_key = ready.get("account", ""), ready.get("secret_key", "")
        self._http = requests.Session()
        self._sessions, self._sockets = [self._http], []
        self._visitors = 0

    def demo(self):
        """Return the wallet of the demo account."""
        return Wallet.from_key(self.secret_key)

    def funded(self, usdc="1000000"):
        """Return a wallet nobody has used, with money at the venue."""
        self._visitors += 1
        owner = wallet(f"visitor {self._visitors}")
        self.control("deposit", account=owner.address, usdc=usdc)
        return owner

    def control(self, path, **keys):
        """Use the control endpoint."""
        answer = self._http.post(f"{self.url}/control/{path}", json=keys, timeout=REQUEST_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def gauge(self, name):
        """Return a figure of /metrics."""
        page = self._http.get(f"{self.url}/metrics", timeout=REQUEST_SECONDS).text
        return float(re.search(rf"^hat_venue_{name} (\S+)$", page, re.MULTILINE).group(1))

    def exchange(self, owner, **options):
        """Return the SDK's Exchange, unmodified."""
        client = Exchange(owner, self.url, **{"timeout": REQUEST_SECONDS, **options})
        self._sessions += [client.session, client.info.session]
        return client

    def info(self, **options):
        """Return the SDK's Info, unmodified; skip_ws=False opens its socket."""
        client = Info(self.url, **{"skip_ws": True, "timeout": REQUEST_SECONDS, **options})
        self._sessions.append(client.session)
        if client.ws_manager is not None:
            self._sockets.append(client)
            until(lambda: client.ws_manager.ws_ready, "the socket of the SDK")
        return client

    def listen(self, info, subscription):
        """Subscribe with the SDK and return what comes."""
        stream = Stream()
        info.subscribe(subscription, stream)
        return stream

    def hang_up(self, info):
        """End a socket of the SDK and its threads.

        The venue drops all sockets first: a client that only closes its own sits in select for 10 s more.
        """
        self.control("drop")
        info.ws_manager.join(END_SECONDS)
        info.disconnect_websocket()
        self._sockets.remove(info)

    def close(self):
        """Close every client."""
        for info in list(self._sockets):
            self.hang_up(info)
        for session in self._sessions:
            session.close()


def _line(process, ends):
    """Return the first line of standard output, read without waiting beyond the deadline."""
    found = b""
    descriptor = process.stdout.fileno()
    while b"\n" not in found:
        ready, _, _ = select.select([descriptor], [], [], max(ends - time.monotonic(), 0))
        part = os.read(descriptor, CHUNK) if ready else b""
        if not part:
            process.kill()
            raise AssertionError(f"`hat venue` did not open: {process.communicate()}")
        found += part
    return found


@contextmanager
def running_venue(*arguments):
    """Run `hat venue --json` on a free port with these arguments; its standard error is shown when it ends badly."""
    process = started_hat("venue", "--port", "0", "--json", *arguments)
    ready = json.loads(_line(process, time.monotonic() + READY_SECONDS))
    venue = VenueProcess(process, ready)
    try:
        yield venue
    finally:
        venue.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            _, told = process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            _, told = process.communicate()
        print(told)
        assert process.returncode == 0, told
        assert "Traceback" not in told, told
