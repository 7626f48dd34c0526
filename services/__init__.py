"""Stand-alone services built from the same parts as the bot."""
