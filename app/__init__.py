"""The REST service: loads an artefact and answers requests. It imports model_store, never training."""
