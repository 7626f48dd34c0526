"""Venues behind one port; the simulated one so far."""
