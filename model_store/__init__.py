"""The contract between training and serving: what an artefact is, its only reader and its only writer.

Knows papers, labels, files and onnxruntime; knows no HTTP and no torch.
"""

import os

# onnxruntime's builds since 1.29 report to their maker unless told otherwise before they are first imported;
# no module below can be imported earlier than this one.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
