"""The door: which commands there are, how their arguments are read, how their help is laid out."""
