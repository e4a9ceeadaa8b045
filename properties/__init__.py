"""The laws and promises, and the input strategies that reach the kinks. `catalogue` imports every law."""
