"""Grouping: isomorphic blocks stacked and computed at once."""
