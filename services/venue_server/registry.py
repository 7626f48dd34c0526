"""Who is who at the venue: masters, their agents and sub-accounts, spot balances, approvals, codes, account modes.

Why it exists: the venue of exchange/simulated knows accounts that trade; whose keys may act for them, and what belongs
to a person rather than to a margin account, is kept here.

Laws: addresses are lower-case 0x text. An agent belongs to one master and is never shared; an agent address that was
ever used is never taken again. Spot USDC is created only by `open` and by what leaves a margin account.
Source: HYPERLIQUID 2.4 (roles), 3.5 (agents), 4.4.
"""

from hashlib import sha256

import msgspec

from domain.units import NS_PER_MS

UNNAMED = ""
NAMED_AGENTS_MAX = 3
NAMED_AGENTS_PER_SUB_ACCOUNT = 2
SUB_ACCOUNTS_MAX = 10
BUILDERS_MAX = 10


class Agent(msgspec.Struct, frozen=True):
    """A key that may trade for a master until a time (ms). name is empty for the one without a name."""

    address: str
    master: str
    name: str
    valid_until_ms: int


class MultiSig(msgspec.Struct, frozen=True):
    """Whose signatures a master needs, and how many of them."""

    signers: tuple[str, ...]
    threshold: int


class Person(msgspec.Struct):
    """What the venue knows of one address besides trading.

    Units: spot in Money; builders are tenths of a basis point by builder. master is empty for a master himself, name
    is that of a sub-account. abstraction is the account mode in the venue's words, `default` until it is chosen.
    """

    address: str
    master: str = ""
    name: str = ""
    spot: int = 0
    agents: dict[str, Agent] = {}
    sub_accounts: list[str] = []
    builders: dict[str, int] = {}
    code: str = ""
    referrer: str = ""
    referred: list[str] = []
    abstraction: str = "default"
    is_dex_abstracted: bool | None = None
    uses_big_blocks: bool = False
    multi_sig: MultiSig | None = None


class Registry:
    """Everybody the venue knows."""

    def __init__(self) -> None:
        """Start with nobody."""
        self.people: dict[str, Person] = {}
        self.agents: dict[str, Agent] = {}
        """Every agent address ever approved; one that was replaced or removed is no longer among its master's."""
        self.codes: dict[str, str] = {}
        """Referral code to the address that owns it."""

    def open(self, address: str, spot: int = 0) -> Person:
        """Return the person at an address, registered with a spot balance when new. Units: Money."""
        person = self.people.get(address)
        if person is None:
            person = self.people[address] = Person(address, spot=spot)
        return person

    def person(self, address: str) -> Person | None:
        """Return who lives at an address; agents are nobody of their own."""
        return self.people.get(address)

    def spot(self, address: str) -> int:
        """Return a spot balance in USDC, 0 for strangers. Units: Money."""
        person = self.people.get(address)
        return person.spot if person is not None else 0

    def role(self, address: str) -> tuple[str, str]:
        """Return what an address is, in the venue's word, and its master (empty where there is none)."""
        agent = self.agents.get(address)
        if agent is not None and self._is_current(agent):
            return "agent", agent.master
        person = self.people.get(address)
        if person is None:
            return "missing", ""
        return ("subAccount", person.master) if person.master else ("user", "")

    def master_of(self, signer: str, now_ns: int) -> str:
        """Return the address a signer acts on: his master's for a valid agent, else his own; empty for a stranger.

        An agent stays one when somebody sends its address money.
        """
        agent = self.agents.get(signer)
        if agent is not None and self._is_current(agent) and agent.valid_until_ms * NS_PER_MS > now_ns:
            return agent.master
        return signer if self.wallet(signer) is not None else ""

    def wallet(self, signer: str) -> Person | None:
        """Return who signs with this key on his own behalf."""
        person = self.people.get(signer)
        return person if person is not None and not person.master else None

    def live_agents(self, master: str, now_ns: int) -> list[Agent]:
        """Return the agents of a master that are valid now, the one without a name included."""
        person = self.people.get(master)
        agents = person.agents.values() if person is not None else ()
        return [agent for agent in agents if agent.valid_until_ms * NS_PER_MS > now_ns]

    def named_agents_max(self, person: Person) -> int:
        """Return how many named agents a master may have."""
        return NAMED_AGENTS_MAX + NAMED_AGENTS_PER_SUB_ACCOUNT * len(person.sub_accounts)

    def approve(self, agent: Agent) -> Agent | None:
        """Let an agent act for its master and return the one of the same name that it replaces."""
        person = self.people[agent.master]
        replaced = person.agents.get(agent.name)
        person.agents[agent.name] = agent
        self.agents[agent.address] = agent
        return replaced

    def remove_agent(self, master: str, name: str) -> Agent | None:
        """Take an agent's right away and return it; None when there was none of this name."""
        return self.people[master].agents.pop(name, None)

    def drop_expired(self, master: str, now_ns: int) -> None:
        """Make room for new agents: those whose time is over count no longer."""
        person = self.people[master]
        for name, agent in list(person.agents.items()):
            if agent.valid_until_ms * NS_PER_MS <= now_ns:
                del person.agents[name]

    def open_sub_account(self, master: Person, name: str) -> Person:
        """Return a new sub-account; its address follows from the master's and from how many it has."""
        seed = f"sub-account {len(master.sub_accounts)} of {master.address}".encode()
        address = "0x" + sha256(seed).hexdigest()[:40]
        person = self.people[address] = Person(address, master=master.address, name=name)
        master.sub_accounts.append(address)
        return person

    def _is_current(self, agent: Agent) -> bool:
        master = self.people.get(agent.master)
        return master is not None and master.agents.get(agent.name) is agent
