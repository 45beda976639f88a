"""Edits of a net that holds trained parameters: edges, blocks and widths change, and what stays keeps its numbers."""
