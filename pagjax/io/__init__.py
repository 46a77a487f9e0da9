"""What every command asks of the disk: whole files, locks, whose files these are."""
