"""Reading and writing of tables: CSV in any dialect, JSON, parquet, workbooks, RIS, BibTeX and PubMed's format.

Rows are read lazily, so that a table may be larger than memory. `docs/tables.md` lists the supported formats.
"""

from tables.errors import TableError
from tables.reader import Options, Table, open_table, read, scan
from tables.rows import BadRow, Cells, Row

__all__ = ["BadRow", "Cells", "Options", "Row", "Table", "TableError", "open_table", "read", "scan"]
