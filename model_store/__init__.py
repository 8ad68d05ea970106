"""The contract between training and serving: what an artefact is, how it is read, and how it is written.

Depends on numpy, tokenizers, onnxruntime and pydantic; imports no web framework and no torch.
"""

import os

# Environment variables that libraries read when they are first used. Every module below is imported after this one.
# onnxruntime reports usage to its vendor since version 1.29 unless told otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# tokenizers would start as many threads as the host has processors, and warn when a process forks afterwards.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
