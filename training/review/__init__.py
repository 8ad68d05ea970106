"""`python -m training review`: which labels of a file are probably wrong, and which papers to label next."""
