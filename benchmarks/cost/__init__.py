"""What labelling costs, by everything that it depends on. See `__main__`."""
