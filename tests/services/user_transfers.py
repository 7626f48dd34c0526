"""Transfers that a wallet signs itself, signed by the SDK's functions and posted."""

from hyperliquid.utils.signing import (
    sign_send_asset_action,
    sign_spot_transfer_action,
    sign_usd_class_transfer_action,
    sign_usd_transfer_action,
    sign_withdraw_from_bridge_action,
)

from tests.services.counter_scene import MASTER, OTHER

USDC = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"


def usd_send(scene, amount, to=OTHER, wallet=MASTER):
    action = {"destination": to.address, "amount": amount, "type": "usdSend"}
    return scene.sign(sign_usd_transfer_action, action, wallet, clock="time")


def class_transfer(scene, amount, to_perp, wallet=MASTER):
    action = {"type": "usdClassTransfer", "amount": amount, "toPerp": to_perp}
    return scene.sign(sign_usd_class_transfer_action, action, wallet)


def spot_send(scene, amount, to=OTHER, token=USDC, wallet=MASTER):
    action = {"destination": to.address, "amount": amount, "token": token, "type": "spotSend"}
    return scene.sign(sign_spot_transfer_action, action, wallet, clock="time")


def withdraw(scene, amount, wallet=MASTER):
    action = {"destination": wallet.address, "amount": amount, "type": "withdraw3"}
    return scene.sign(sign_withdraw_from_bridge_action, action, wallet, clock="time")


def send_asset(scene, amount, source="", destination="", to=OTHER, token=USDC, sub="", wallet=MASTER):
    action = {
        "type": "sendAsset",
        "destination": to if isinstance(to, str) else to.address,
        "sourceDex": source,
        "destinationDex": destination,
        "token": token,
        "amount": amount,
        "fromSubAccount": sub,
    }
    return scene.sign(sign_send_asset_action, action, wallet)
