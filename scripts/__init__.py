"""Thin entry points: each reads its arguments and calls a room."""
