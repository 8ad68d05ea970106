"""Tests of benchmarks: that they run, never how fast."""
