"""The command line: serve, classify, doctor, models."""
