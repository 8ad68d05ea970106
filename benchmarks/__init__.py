"""Measurements, most of them side by side. Each prints the table that a document quotes; no test asserts a speed."""

# Imported first, since it keeps onnxruntime from reporting usage to its vendor.
import model_store as model_store
