"""Where chat templates are rendered: Jinja programs of strangers, without access to anything.

The same closed environment as in transformers (`utils/chat_template_utils.py`), so that the same
templates give the same texts, but without the clock: a template that writes today's date takes
its fallback, and the same prompt has the same text every day.
"""

import json
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace


def environment() -> ImmutableSandboxedEnvironment:
    """Return a new environment with what chat templates may use."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    made.filters["tojson"] = _to_json
    made.globals |= {"raise_exception": _refuse, "namespace": _Values, "dict": _new_dict}
    return made


class _Generation(Extension):
    """Reads ``{% generation %}``, which marks answers for training, as its content."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Values(Namespace):
    """A namespace that holds no name with a leading underscore: these reach into Python."""

    def __init__(*args: Any, **values: Any) -> None:
        self, *rest = args  # a value may be called `self`
        found = dict(*rest, **values)
        for name in found:
            _check_name(name)
        Namespace.__init__(self, found)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: Any) -> None:
    if str(name).startswith("_"):
        raise SecurityError(f"a template may not store the name '{name}'")


def _new_dict(*args: Any, **values: Any) -> dict[Any, Any]:
    return dict(*args, **values)


def _to_json(value: Any, **options: Any) -> str:
    """Write JSON without jinja2's escapes for HTML."""
    return json.dumps(value, **{"ensure_ascii": False, **options})


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
