"""How commands are called: which there are, what they take, and how that is read and refused."""
