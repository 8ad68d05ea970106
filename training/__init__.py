"""Offline: papers and a pretrained encoder in, a published artefact out. Writes only through model_store."""
