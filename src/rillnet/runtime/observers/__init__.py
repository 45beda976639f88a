"""What is seen of a running net: views that watch addresses, and reductions that make little of much at the source."""
