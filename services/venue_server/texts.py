"""The venue's words for refusing a whole action; those about single orders are in exchange/simulated/refusals.py.

Law: quoted exactly. Those under "ours" are not on record anywhere: clients match none of them.
Source: HYPERLIQUID 3.5, 3.6.
"""

UNKNOWN_SIGNER = "User or API Wallet {address} does not exist."
MUST_DEPOSIT = "Must deposit before performing actions. User: {address}"
NO_SIGNER = "Unable to recover signer."
WRONG_CHAIN = "Mainnet and testnet require different signature."
NONCE_MISMATCH = "Nonce mismatch."
NONCE_DUPLICATE = "Invalid nonce: duplicate nonce {nonce}"
NONCE_LOW = "Invalid nonce: nonce too low {nonce} < {bound}"
NONCE_HIGH = "Invalid nonce: nonce too high {nonce} > {bound}"
EXPIRED = "Action already expired"
TOO_MANY_REQUESTS = (
    "Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${volume}. "
    "Place taker orders to free up 1 request per USDC traded."
)
OVER_WEIGHT = "Signed action over weight limit of {limit}."
NO_VAULT = "Vault not registered: {address}"
NOT_BY_VAULT = "Vault may not perform this action."
NOT_YOUR_SUB_ACCOUNT = "Sub-account {address} is not registered to {master}"

HALTED = "Trading is halted."
ONLY_POST_ONLY = "Only post-only orders allowed immediately after a network upgrade"
NO_BUILDER = "Builder fee has not been approved"
NO_STAKE = "Insufficient delegatable balance for priority order"
MODIFY_FAILED = "Error placing new order during modify: "

BAD_LEVERAGE = "Invalid leverage value"

TWAP_DURATION = "Invalid TWAP duration: {minutes} min(s)"
TWAP_GONE = "TWAP was never placed, already canceled, or filled."

NO_CODE = "Referral code not registered"
NO_CODE_YET = "Cannot generate referral code until enough volume traded"
NO_SUB_ACCOUNT_YET = "Cannot create sub-accounts until enough volume traded. Required: ${required}. Traded: ${traded}."
BAD_SUB_ACCOUNT_TRANSFER = "Invalid sub-account transfer from {source} to {destination}"
AGENT_USED = "Extra agent already used."
TOO_MANY_AGENTS = "Too many extra agents for cumulative volume traded. Current limit is {limit}"
AGENT_EXPIRED = "Agent valid_until already expired."

NO_BALANCE_PERP = "Insufficient balance for withdrawal"
NO_BALANCE_SPOT = "Insufficient balance for token transfer"
BAD_SEND = "Invalid send"
UNIFIED = "Action disabled when unified account is active"
BAD_ABSTRACTION = "Abstraction transition not allowed"
NO_REWARDS = "No rewards to claim"
NO_GAS = "Insufficient gas at current auction price."

MULTI_SIG_NEEDED = "Multi-sig required"
MULTI_SIG_SHORT = "Multi-sig threshold not met"
MULTI_SIG_INNER = "Invalid multi-sig inner signer"
MULTI_SIG_OUTER = "Invalid multi-sig outer signer"

# Ours.
EXPIRES_AFTER_USER_SIGNED = "expiresAfter is not supported for user-signed actions"
AGENT_NAME = "Invalid agent name"
SUB_ACCOUNT_NAME = "Invalid sub-account name"
TOO_MANY_SUB_ACCOUNTS = "Too many sub-accounts"
REFERRER_SET = "Referrer already set"
CODE_TAKEN = "Referral code already registered"
BUILDER_RATE = "Builder fee must be less than 0.1% for perps and 1% for spot"
TOO_MANY_BUILDERS = "Too many builders approved"
MULTI_SIG_SIGNERS = "Invalid multi-sig signers"
