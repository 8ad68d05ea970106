"""Labelling of tables on a Ray cluster: `papers classify --engine ray`; needs the extra `ray`.

The rows of each table are split into parts. An actor labels a part and writes its files, and at last a marker. So a
part whose worker dies is written again under the same names, and running the command again writes the missing parts.
"""
