"""Evaluation of an artefact on labelled papers: predictions, metrics, a report."""
