"""Tests of the built image under a real Docker engine: `make test-image`."""
