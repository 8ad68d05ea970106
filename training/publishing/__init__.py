"""From a fitted network to a published artefact."""
