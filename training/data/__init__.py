"""Labelled papers, from files to batches."""
