"""Publishes classifiers that were fine-tuned elsewhere."""
