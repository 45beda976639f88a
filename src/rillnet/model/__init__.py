"""What a model is: nets of named blocks, their shapes, their rollouts, and the texts they come from."""
