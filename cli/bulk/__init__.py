"""Labelling of tables on a Ray cluster: `papers classify --engine ray`; needs the extra `ray`.

The rows of each table are cut into parts. An actor labels a part and writes its files, the last of them a marker, so
that a part that is lost with its worker is made again under the same names, and a second call makes what is missing.
"""
