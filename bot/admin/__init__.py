"""The operator's door: HTTP on loopback."""
