"""The open bench for electric mobility: twins of the charging chain, on one clock."""

__version__ = "0.1.0"
