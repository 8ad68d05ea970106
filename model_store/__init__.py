"""The contract between training and serving: what an artefact is, its only reader and its only writer.

Knows papers, labels, files and onnxruntime; knows no HTTP and no torch.
"""
