"""Drivers that run the engine over recorded market data as fast as they can."""
