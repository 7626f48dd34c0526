"""Metrics, traces, logs, health and alerts: readers of notices."""
