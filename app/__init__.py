"""HTTP around a classifier; knows model_store, never training."""
