"""What a GGUF file says of itself, with every missing or odd value named."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attnpipe.core.errors import UserError


@dataclass(frozen=True)
class Metadata:
    """Key → value of a GGUF file; `path` is for messages."""

    path: Path
    fields: Mapping[str, Any]

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        return self.fields.get(key)

    def count(self, key: str, default: int | None = None) -> int:
        """Return a whole number above 0."""
        value = self.fields.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._odd(key, value, "a whole number above 0")
        return value

    def decimal(self, key: str, default: float | None = None) -> float:
        """Return a number above 0: of a float32 the shortest decimal, 1e-05 not 9.99999975e-06."""
        value = self.fields.get(key, default)
        if not isinstance(value, float) or not 0 < value < np.inf:
            raise self._odd(key, value, "a number above 0")
        return float(str(np.float32(value)))

    def texts(self, key: str) -> list[str]:
        """Return a list of strings."""
        value = self.fields.get(key)
        if not isinstance(value, list) or not value or not isinstance(value[0], str):
            raise self._odd(key, value, "a list of strings")
        return value

    def token_id(self, role: str) -> int | None:
        """Return the id of the token with a role (``bos``, ``eos``, …), or None."""
        key = f"tokenizer.ggml.{role}_token_id"
        if key not in self.fields:
            return None
        value, n = self.fields[key], len(self.texts("tokenizer.ggml.tokens"))
        if not isinstance(value, int) or not 0 <= value < n:
            raise self._odd(key, value, f"one of {n} tokens")
        return value

    def _odd(self, key: str, value: Any, wanted: str) -> UserError:
        found = "no value" if value is None else f"'{str(value)[:40]}'"
        return UserError(f"'{self.path}' has {found} for '{key}' instead of {wanted}; {CURE}")


CURE = "get the file anew"
INSTEAD = "give the model as safetensors instead (source.kind local or hub)"
