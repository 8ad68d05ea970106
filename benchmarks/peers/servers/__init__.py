"""Servers of the same network, each written as its framework's documentation shows it."""
