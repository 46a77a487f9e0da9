"""Networks compared: how far their gradients agree with the eye's measures."""
