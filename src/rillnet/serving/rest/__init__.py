"""Reached from other programs: REST and WebSocket over the commands and addresses of live sessions, and over runs."""
