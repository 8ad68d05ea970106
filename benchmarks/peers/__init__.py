"""Compares the service with other ways to serve the same network. See `__main__`."""
