"""The parts of a comparison: what is compared, what came of it, the table, the pictures."""
