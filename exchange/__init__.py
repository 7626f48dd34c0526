"""Venues behind one port: simulated and real."""
