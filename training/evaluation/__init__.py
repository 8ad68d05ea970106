"""How good an artefact is on labelled papers: answers → figures → a report. Trains nothing."""
