"""What the processor can do at most, and how near the shipped graph comes. See `__main__`."""
