"""Actions on the wire that only the server reads: those a wallet signs itself, and the venue's rarer ones.

Laws: those of exchange/hyperliquid/wire_actions.py, but for order: these are hashed as they came, so fields are
declared for reading only. Amounts stay text.
Source: HYPERLIQUID 3.3, 3.4.
"""

from typing import Any

import msgspec
from msgspec import UNSET

from exchange.hyperliquid.wire import Maybe, Signature, Wire, keys


class OtherAction(Wire, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """Base of the actions of this file."""


class UserSigned(OtherAction, frozen=True, kw_only=True, gc=False):
    """Signed by the wallet itself as typed data; some write their nonce as `time`."""

    hyperliquid_chain: str
    signature_chain_id: str


class UsdSend(UserSigned, frozen=True, kw_only=True, gc=False, tag="usdSend", rename=keys(nonce="time")):
    """Send USDC from one margin account to another."""

    destination: str
    amount: str
    nonce: int


class SpotSend(UserSigned, frozen=True, kw_only=True, gc=False, tag="spotSend", rename=keys(nonce="time")):
    """Send a token to another spot balance."""

    destination: str
    token: str
    amount: str
    nonce: int


class Withdraw(UserSigned, frozen=True, kw_only=True, gc=False, tag="withdraw3", rename=keys(nonce="time")):
    """Send USDC away from the venue."""

    destination: str
    amount: str
    nonce: int


class UsdClassTransfer(UserSigned, frozen=True, kw_only=True, gc=False, tag="usdClassTransfer"):
    """Move USDC between spot and margin; amount may end in ` subaccount:0x…`."""

    amount: str
    to_perp: bool
    nonce: int


class SendAsset(UserSigned, frozen=True, kw_only=True, gc=False, tag="sendAsset"):
    """Move a token between dexes, spot and accounts."""

    destination: str
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: str
    nonce: int


class ApproveAgent(UserSigned, frozen=True, kw_only=True, gc=False, tag="approveAgent"):
    """Let another key trade for us."""

    agent_address: str
    agent_name: str | Maybe | None = UNSET
    nonce: int


class ApproveBuilderFee(UserSigned, frozen=True, kw_only=True, gc=False, tag="approveBuilderFee"):
    """Let a builder charge up to a rate."""

    max_fee_rate: str
    builder: str
    nonce: int


class TokenDelegate(UserSigned, frozen=True, kw_only=True, gc=False, tag="tokenDelegate"):
    """Stake or unstake."""

    validator: str
    wei: int
    is_undelegate: bool
    nonce: int


class ConvertToMultiSigUser(UserSigned, frozen=True, kw_only=True, gc=False, tag="convertToMultiSigUser"):
    """Need several signatures from now on; `null` undoes it."""

    signers: str
    nonce: int


class UserDexAbstraction(UserSigned, frozen=True, kw_only=True, gc=False, tag="userDexAbstraction"):
    """Let collateral follow orders between dexes."""

    user: str
    enabled: bool
    nonce: int


class UserSetAbstraction(UserSigned, frozen=True, kw_only=True, gc=False, tag="userSetAbstraction"):
    """Choose the account mode."""

    user: str
    abstraction: str
    nonce: int


class TwapTerms(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(asset="a", is_buy="b", size="s", reduce_only="r", minutes="m", randomize="t"),
):
    """An order spread over time."""

    asset: int
    is_buy: bool
    size: str
    reduce_only: bool
    minutes: int
    randomize: bool


class TwapOrder(OtherAction, frozen=True, kw_only=True, gc=False, tag="twapOrder"):
    """Place a TWAP order."""

    twap: TwapTerms


class TwapCancel(
    OtherAction, frozen=True, kw_only=True, gc=False, tag="twapCancel", rename=keys(asset="a", twap_id="t")
):
    """Cancel a TWAP order."""

    asset: int
    twap_id: int


class EvmUserModify(OtherAction, frozen=True, kw_only=True, gc=False, tag="evmUserModify"):
    """Choose the blocks contracts run in."""

    using_big_blocks: bool


class AgentEnableDexAbstraction(OtherAction, frozen=True, kw_only=True, gc=False, tag="agentEnableDexAbstraction"):
    """The agent's way to userDexAbstraction."""


class AgentSetAbstraction(OtherAction, frozen=True, kw_only=True, gc=False, tag="agentSetAbstraction"):
    """The agent's way to userSetAbstraction, in one letter."""

    abstraction: str


class AgentSendAsset(OtherAction, frozen=True, kw_only=True, gc=False, tag="agentSendAsset"):
    """The agent's way to sendAsset, between accounts of one master."""

    destination: str
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: str
    nonce: int


class GossipPriorityBid(OtherAction, frozen=True, kw_only=True, gc=False, tag="gossipPriorityBid"):
    """Bid for faster reading."""

    slot_id: int
    ip: str
    max_gas: int


class ClaimRewards(OtherAction, frozen=True, kw_only=True, gc=False, tag="claimRewards"):
    """Take out referral rewards."""


class UserOutcome(OtherAction, frozen=True, kw_only=True, gc=False, tag="userOutcome"):
    """Split and merge outcome tokens."""


class SpotDeploy(OtherAction, frozen=True, kw_only=True, gc=False, tag="spotDeploy"):
    """Steps of listing a token."""


class PerpDeploy(OtherAction, frozen=True, kw_only=True, gc=False, tag="perpDeploy"):
    """Steps of listing a perpetual."""


class SignerDuty(OtherAction, frozen=True, kw_only=True, gc=False, tag="CSignerAction"):
    """What validators' signers do."""


class ValidatorDuty(OtherAction, frozen=True, kw_only=True, gc=False, tag="CValidatorAction"):
    """What validators do."""


class MultiSigPayload(Wire, frozen=True, kw_only=True, gc=False):
    """What several people signed."""

    multi_sig_user: str
    outer_signer: str
    action: dict[str, Any]


class MultiSigAction(OtherAction, frozen=True, kw_only=True, gc=False, tag="multiSig"):
    """An action of a user who needs several signatures."""

    signature_chain_id: str
    signatures: tuple[Signature, ...]
    payload: MultiSigPayload


UserAction = (
    UsdSend
    | SpotSend
    | Withdraw
    | UsdClassTransfer
    | SendAsset
    | ApproveAgent
    | ApproveBuilderFee
    | TokenDelegate
    | ConvertToMultiSigUser
    | UserDexAbstraction
    | UserSetAbstraction
)
"""Signed by the wallet itself."""

RareAction = (
    TwapOrder
    | TwapCancel
    | EvmUserModify
    | AgentEnableDexAbstraction
    | AgentSetAbstraction
    | AgentSendAsset
    | GossipPriorityBid
    | ClaimRewards
    | UserOutcome
    | SpotDeploy
    | PerpDeploy
    | SignerDuty
    | ValidatorDuty
)
"""Signed as L1 actions, hashed in the order in which they came."""

USER_DECODER = msgspec.json.Decoder(UserAction)
RARE_DECODER = msgspec.json.Decoder(RareAction)
MULTI_SIG_DECODER = msgspec.json.Decoder(MultiSigAction)
