"""Papers in, results out; no HTTP."""
