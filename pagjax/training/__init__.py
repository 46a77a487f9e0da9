"""Training of base networks: data, procedures, the loop, and what is measured in the end."""
