"""Random transfers of every kind: money is moved, never made."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.units import MONEY_UNIT
from services.venue_server.counter_settings import CounterSettings
from tests.services.counter_scene import CASH, MASTER, OTHER, STRANGER, CounterScene, address
from tests.services.user_transfers import class_transfer, send_asset, spot_send, usd_send, withdraw

AMOUNTS = st.integers(1, 3 * CASH // 100).map(lambda micro: f"{micro // 10**6}.{micro % 10**6:06d}") | st.sampled_from(
    ["0", "-1", "1e3", "0.0000001", "100000", "0.000001"]
)
WALLETS = st.sampled_from([MASTER, OTHER, STRANGER])
PLACES = st.sampled_from(["", "spot"])


class Transfers(RuleBasedStateMachine):
    """Random transfers of every kind: not a hundred-millionth appears or vanishes, and nobody has less than nothing."""

    def __init__(self):
        super().__init__()
        self.scene = CounterScene(CounterSettings(limits_on=False, sub_account_volume_min=0), spot=7 * MONEY_UNIT)
        self.before = self.scene.money()
        self.sub = self.scene.send({"type": "createSubAccount", "name": "desk"})["response"]["data"]

    @rule(amount=AMOUNTS, to=WALLETS, wallet=WALLETS)
    def send_usd(self, amount, to, wallet):
        usd_send(self.scene, amount, to, wallet)

    @rule(amount=AMOUNTS, to=WALLETS, wallet=WALLETS)
    def send_spot(self, amount, to, wallet):
        spot_send(self.scene, amount, to, wallet=wallet)

    @rule(amount=AMOUNTS, to_perp=st.booleans(), wallet=WALLETS)
    def change_class(self, amount, to_perp, wallet):
        class_transfer(self.scene, amount, to_perp, wallet)

    @rule(amount=AMOUNTS, source=PLACES, destination=PLACES, to=WALLETS, wallet=WALLETS)
    def send_asset(self, amount, source, destination, to, wallet):
        send_asset(self.scene, amount, source, destination, to, wallet=wallet)

    @rule(amount=AMOUNTS, wallet=WALLETS)
    def withdraw(self, amount, wallet):
        withdraw(self.scene, amount, wallet)

    @rule(usd=st.integers(-1, CASH // 50), is_deposit=st.booleans())
    def move_to_sub_account(self, usd, is_deposit):
        action = {"type": "subAccountTransfer", "subAccountUser": self.sub, "isDeposit": is_deposit, "usd": usd}
        self.scene.send(action)

    @rule(weight=st.integers(0, 10**6))
    def buy_requests(self, weight):
        self.scene.send({"type": "reserveRequestWeight", "weight": weight})

    @invariant()
    def money_is_conserved(self):
        assert self.scene.money() == self.before
        assert all(account.cash >= 0 for account in self.scene.venue.accounts.values())
        assert all(person.spot >= 0 for person in self.scene.counter.registry.people.values())

    @invariant()
    def ledgers_tell_every_change_of_cash(self):
        for one, account in self.scene.venue.accounts.items():
            start = CASH if one in {address(MASTER), address(OTHER)} else 0
            assert account.cash == start + sum(update.amount for update in account.updates)


Transfers.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTransfers = Transfers.TestCase
