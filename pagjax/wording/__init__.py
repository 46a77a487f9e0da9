"""How numbers and names of users are read, and how values are said; imports nothing."""
