"""Words on pictures: fonts for any script, and lines that break no word."""
