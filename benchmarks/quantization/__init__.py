"""Compares quantization schemes on one fitted network. See `__main__`."""
