"""The double-entry book in exact integers, and its store."""
