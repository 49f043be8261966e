"""A table to try databases with."""

from sqlalchemy import Column, Double, MetaData, Table, Text

from backend.storage.tables import Part

things = Table("things", MetaData(), Column("name", Text), Column("at", Double))
THINGS = Part(tables=(things,))
