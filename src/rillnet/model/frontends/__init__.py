"""Front ends: texts of several kinds to the records of `rillnet.spec`, and nothing else."""
