"""How good an artefact is on labelled papers: predictions, metrics, a report. Trains nothing."""
