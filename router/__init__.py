"""From approved wishes to the fewest venue actions."""
