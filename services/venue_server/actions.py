"""Which action is carried out where. Every type the venue knows has its answer here.

Law: what this venue does not have (vaults, TWAP, staking, listing) is answered as the venue answers the impossible, or,
where its words are not known, with the plain `default`. Source: HYPERLIQUID 3.3, 3.4, 12.1.5.
"""

from exchange.hyperliquid import wire_actions as wire
from services.venue_server import texts
from services.venue_server import wire_other_actions as other
from services.venue_server.actions_account import AccountActions, told
from services.venue_server.actions_orders import OrderActions
from services.venue_server.actions_user import UserActions, choose_abstraction
from services.venue_server.answer import Answer
from services.venue_server.gate import Entry
from services.venue_server.replies import DEFAULT, done


class Actions:
    """Every action of the venue."""

    def __init__(self, orders: OrderActions, account: AccountActions, user: UserActions) -> None:
        """Join the three kinds."""
        self._orders = orders
        self._account = account
        self._user = user

    def carry_out(self, entry: Entry, now_ns: int) -> Answer:
        """Carry out an action that passed the gate."""
        orders, action = self._orders, entry.action
        match action:
            case wire.PlaceAction():
                return orders.place(entry, action, now_ns)
            case wire.CancelAction() | wire.CancelByNameAction():
                return orders.cancel(entry, action, now_ns)
            case wire.ModifyAction():
                return orders.modify(entry, action, now_ns)
            case wire.BatchModifyAction():
                return orders.batch_modify(entry, action, now_ns)
            case other.UserSigned():
                return self._user_signed(entry, action, now_ns)
            case other.OtherAction():
                return self._rare(entry, action, now_ns)
            case _:
                return self._account_action(entry, action, now_ns)

    def _account_action(self, entry: Entry, action: wire.TypedAction, now_ns: int) -> Answer:
        """Carry out what is signed like an order but is about the account."""
        account = self._account
        match action:
            case wire.UpdateLeverageAction():
                return account.set_leverage(entry, action, now_ns)
            case wire.UpdateIsolatedMarginAction():
                return account.change_isolated_margin(entry, action, now_ns)
            case wire.TopUpIsolatedOnlyMarginAction():
                return account.top_up(entry, action, now_ns)
            case wire.ScheduleCancelAction():
                return account.schedule_cancel(entry, action, now_ns)
            case wire.SetReferrerAction():
                return account.set_referrer(entry, action)
            case wire.RegisterReferrerAction():
                return account.register_referrer(entry, action)
            case wire.CreateSubAccountAction():
                return account.create_sub_account(entry, action)
            case wire.SubAccountTransferAction():
                return account.sub_account_transfer(entry, action, now_ns)
            case wire.SubAccountSpotTransferAction():
                return account.sub_account_spot_transfer(entry, action, now_ns)
            case wire.VaultTransferAction():
                return account.vault_transfer(action)
            case wire.ReserveRequestWeightAction():
                return account.reserve_requests(entry, action, now_ns)
            case _:
                # A noop: its nonce is used up, and that was all it wanted.
                return done(DEFAULT)

    def _user_signed(self, entry: Entry, action: other.UserSigned, now_ns: int) -> Answer:
        """Carry out what a wallet signed itself."""
        user = self._user
        match action:
            case other.UsdSend():
                return user.send_usd(entry, action, now_ns)
            case other.SpotSend():
                return user.send_spot(entry, action, now_ns)
            case other.Withdraw():
                return user.withdraw(entry, action, now_ns)
            case other.UsdClassTransfer():
                return user.transfer_class(entry, action, now_ns)
            case other.SendAsset():
                return user.send_asset(entry, action, now_ns)
            case other.ApproveAgent():
                return user.approve_agent(entry, action, now_ns)
            case other.ApproveBuilderFee():
                return user.approve_builder(entry, action)
            case other.ConvertToMultiSigUser():
                return user.convert_to_multi_sig(entry, action)
            case other.UserDexAbstraction():
                return user.abstract_dex(entry, action)
            case other.UserSetAbstraction():
                return user.set_abstraction(entry, action)
            case _:
                # Nobody has anything to stake: a delegation is taken and changes nothing.
                return done(DEFAULT)

    def _rare(self, entry: Entry, action: other.OtherAction, now_ns: int) -> Answer:
        """Carry out the rarer actions signed like orders."""
        match action:
            case other.TwapOrder():
                return self._orders.twap(action)
            case other.TwapCancel():
                return self._orders.cancel_twap(action)
            case other.AgentSendAsset():
                return self._user.send_asset(entry, action, now_ns)
            case other.AgentSetAbstraction():
                return told(choose_abstraction(entry.person, action.abstraction))
            case other.AgentEnableDexAbstraction():
                entry.person.is_dex_abstracted = True
                return done(DEFAULT)
            case other.EvmUserModify():
                entry.person.uses_big_blocks = action.using_big_blocks
                return done(DEFAULT)
            case other.ClaimRewards():
                return told(texts.NO_REWARDS)
            case other.GossipPriorityBid():
                return told(texts.NO_GAS)
            case _:
                return done(DEFAULT)
