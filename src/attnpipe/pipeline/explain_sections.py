"""How sections of the config are changed: in sentences for those who tried it another way."""

from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from attnpipe.core.errors import UserError

SHOWN = "figure.show"
NAMED = {
    "models": "+model@models.NAME=<member of config/model>",
    "data.variants": '+data.variants.NAME={instruction: "…"}',
    SHOWN: "+figure.show.NAME={}",
}
"""Section whose entries have names of their own → how one is added."""


def own_model(place: str, path: str) -> str:
    """Return the overrides that put a model from a local folder in the place of another.

    Parameters
    ----------
    place
        A key below ``models.<name>``.
    path
        The folder.
    """
    name = place.split(".")[1]
    return f"model@models.{name}=local models.{name}.source.path={path}"


def how_to_change(place: str) -> str:
    """Return how a section is written."""
    if place.startswith("models.") and place.endswith(".source"):
        return f"it is a section; for a model of your own write {own_model(place, '/folder')}"
    if place in NAMED:
        return (
            f"its entries have names; change one with {place}.NAME.<key>=…, remove one with "
            f"~{place}.NAME, add one with {NAMED[place]}"
        )
    return f"it is a section; change its keys one by one, {place}.<key>=…"


def check_whole(override: Override, place: str, node: Any) -> None:
    """Raise for a list in place of a section, which Hydra cannot merge.

    Raises
    ------
    UserError
        How the section is changed.
    """
    if isinstance(node, DictConfig) and isinstance(override.value(), list):
        raise UserError(
            f"override '{override.input_line}': a list cannot replace '{place}': "
            f"{how_to_change(place)}"
        )


def check_borrowed(override: Override, node: Any, where: str, rest: str) -> None:
    """Raise for a key inside a section that stands elsewhere, and is only named here.

    Parameters
    ----------
    override
        The override.
    node, where
        What holds the section, and the section's place.
    rest
        The key inside it.

    Raises
    ------
    UserError
        Where the section stands.
    """
    part = where.rpartition(".")[2]
    if not OmegaConf.is_interpolation(node, part) or not isinstance(node[part], DictConfig):
        return
    held = OmegaConf.to_container(node, resolve=False)
    assert isinstance(held, dict)
    origin = str(held[part]).strip("${}")
    cure = f"write {origin}.{rest}=…"
    if rest == "path" and where.startswith(
        "models."
    ):  # of a folder, mostly: the model has another kind of source
        cure = f"for a model of your own write {own_model(where, str(override.value()))}"
    raise UserError(f"override '{override.input_line}': '{where}' is that of '{origin}'; {cure}")
