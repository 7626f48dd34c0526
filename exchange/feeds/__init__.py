"""Market data sources: synthetic, recorded, streamed."""
