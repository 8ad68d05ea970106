"""The peak performance of the processor, and how close the shipped graph comes to it. See `__main__`."""
