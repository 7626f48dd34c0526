"""Order books built from venue messages."""
