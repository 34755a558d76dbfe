"""All tables that a study of any kind may have, by name."""

from attnpipe.tables.base import Table
from attnpipe.tables.compression import COMPRESSION
from attnpipe.tables.study import STUDY_TABLES
from attnpipe.tables.text import TEXT_TABLES

TABLES: dict[str, Table] = STUDY_TABLES | TEXT_TABLES | {"compression": COMPRESSION}
