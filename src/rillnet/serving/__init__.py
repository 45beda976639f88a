"""How rillnet is reached: the command line."""
