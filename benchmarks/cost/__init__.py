"""The cost of labelling by cores, clients, lengths, batches and labels. See `__main__`."""
