"""Sources of windows: the kind of a data section → the function that prepares it."""

from attnpipe.core.registry import Registry

SOURCES = Registry(
    "data kind",
    {
        "geomagnetic": "attnpipe.data.geomagnetic:prepare",
        "steering": "attnpipe.data.steering:prepare",
        "csv": "attnpipe.data.csv:prepare",
        "synthetic": "attnpipe.data.synthetic.prepare:prepare",
        "induction": "attnpipe.data.induction:prepare",
    },
)
