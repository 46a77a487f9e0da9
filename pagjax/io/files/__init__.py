"""Files written whole or not at all, locked, and known by their owner."""
