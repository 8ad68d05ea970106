"""Which sentences speak for and against a label."""
