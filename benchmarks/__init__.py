"""Measurements side by side, never asserted by a test. Each prints the table that the README quotes."""
