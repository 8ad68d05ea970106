"""Offline training: makes a published artefact from labelled papers and a pretrained encoder.

Artefacts are written through model_store only.
"""

# Imported first, since it keeps onnxruntime from reporting usage to its vendor.
import model_store as model_store
