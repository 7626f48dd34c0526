"""Hyperliquid's wire: codec, signing, session, transport."""
