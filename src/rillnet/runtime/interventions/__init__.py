"""Interventions: what is done to a running net from outside: clamps, noise and lesions, until they are restored."""
