"""The command line: serve, classify, doctor, models. Knows files and terminals; knows no HTTP and no training."""
