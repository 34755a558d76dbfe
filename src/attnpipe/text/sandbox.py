"""Where chat templates are rendered: Jinja programs of strangers, without access to anything.

The same closed environment as in transformers (`utils/chat_template_utils.py`), so that the same
templates give the same texts, but without the clock: a template that writes today's date takes
its fallback, and the same prompt has the same text every day.

`attnpipe.text.rendering` runs this file as a script: a question is a line with the JSON of template
and variables, its answer one with text (or null) and reason (or null). It imports nothing of the
project, so that it starts quickly.
"""

import json
import resource
import signal
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

SECONDS = 2
"""Time on the processor that a template has; usual ones need some thousandths."""
MEMORY = 256 * 1024**2
"""Bytes that all templates together may take beside the interpreter's."""
LONGEST = 4_000_000
"""Characters of a text; windows of models end far below."""


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


def serve() -> None:
    """Answer questions until there are no more, within limits that the system keeps."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends who asks, and that this process
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, mapped + MEMORY)
    for question in sys.stdin:
        source, variables = json.loads(question)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # nobody handles it: it ends the process
        answer = _answer(source, variables)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(answer), flush=True)


def _limit(what: int, wanted: int) -> None:
    _, hard = resource.getrlimit(what)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(what, (limit, limit))


def _answer(source: str, variables: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the text of a template, or why there is none."""
    try:
        text = _compiled(source).render(**variables)
    except MemoryError:
        return None, f"it takes more than {MEMORY // 1024**2} MiB"
    except Exception as error:  # a template is a program: it can fail in any way
        return None, " ".join(str(error)[:400].split()) or type(error).__name__
    if len(text) > LONGEST:
        return None, f"it writes more than {LONGEST} characters"
    return text, None


@lru_cache(maxsize=4)
def _compiled(source: str) -> Template:
    return environment().from_string(source)


if __name__ == "__main__":
    serve()
