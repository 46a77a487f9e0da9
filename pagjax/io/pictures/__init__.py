"""Picture files to arrays in [0, 1] and back, their crops, and sheets of them."""
