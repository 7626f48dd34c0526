"""Readers of recorded data, one file per layout."""
