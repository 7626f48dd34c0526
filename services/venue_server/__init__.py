"""`hat venue`: the simulated venue behind Hyperliquid's own HTTP and WebSocket wire."""
