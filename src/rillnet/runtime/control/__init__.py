"""A session that is touched: addresses of all that is in a run, and the commands that change it between frames."""
