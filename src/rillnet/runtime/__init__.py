"""How it runs: a net and its rollout as one frame function, executed, saved, resumed and put on record."""
