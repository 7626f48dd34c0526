"""Limits, pre-trade checks, sizing and the gate that approves."""
