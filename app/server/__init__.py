"""How uvicorn is run: processes, signals, limits."""
