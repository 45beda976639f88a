"""How a net changes: learning rules, optimisers, rates, and the trainer that drives a session."""
