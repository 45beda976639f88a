"""The live session at a prompt: the same commands and addresses as everywhere, typed, piped or read from a file."""
