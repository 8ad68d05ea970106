"""Measurements side by side, never asserted by a test. Each prints the table that the README quotes."""

# First of all, since it keeps onnxruntime from reporting to its maker.
import model_store as model_store
