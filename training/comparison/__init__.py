"""Comparison of variants of a run: their configurations, outcomes, table and plots."""
