from attnpipe.tables.base import *  # noqa
from attnpipe.tables.evaluation import EVALUATION  # noqa
from attnpipe.tables.history import HISTORY  # noqa
from attnpipe.tables.metrics import METRICS  # noqa
from attnpipe.tables.study import *  # noqa
