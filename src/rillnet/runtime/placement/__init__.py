"""Which process computes what: plans, exchanges, and the net of one process."""
