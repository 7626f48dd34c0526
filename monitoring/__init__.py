"""Metrics, traces, logs and health: readers of notices."""
