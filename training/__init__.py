"""Offline: papers and a pretrained encoder in, a published artefact out. Writes only through model_store."""

# First of all, since it keeps onnxruntime from reporting to its maker.
import model_store as model_store
