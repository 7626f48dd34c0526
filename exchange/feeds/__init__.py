"""Market data sources: the synthetic market, and the admission every recording passes."""
