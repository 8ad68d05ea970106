"""`python -m training init`: from a file of labelled papers to a configuration that fits file, encoder and machine."""
