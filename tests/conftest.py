"""Shape and type annotations are checked at run time in all tests."""

from jaxtyping import install_import_hook

install_import_hook("attnpipe", "beartype.beartype")
