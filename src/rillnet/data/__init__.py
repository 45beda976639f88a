"""What a net sees: sources of examples, the feed that draws them into batches, and their transforms."""
