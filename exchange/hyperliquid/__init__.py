"""Hyperliquid: which instruments it lists, built in or asked for; the adapter that trades on it will live here."""
