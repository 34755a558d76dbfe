"""Files of a model from the Hugging Face hub, at one commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import DryRunFileInfo, snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from attnpipe.core.errors import UserError
from attnpipe.io.space import check_space
from attnpipe.pretrained.architecture import architecture
from attnpipe.pretrained.files import CONFIG, README, check_names, plain_config, read_object
from attnpipe.pretrained.quiet import quiet
from attnpipe.schema.pretrained import HubSource, Task


def fetch_repository(source: HubSource, task: Task, section: str) -> Path:
    """Return the folder in the hub's own cache with the allowed files of a commit.

    The config is fetched and checked before the weights. What is cached is not fetched
    again, and needs no network.

    Raises
    ------
    UserError
        The hub cannot be reached, does not know the repository or the commit, or the model
        cannot be used.
    """
    fetch: Callable[..., Any] = partial(snapshot_download, source.id, revision=source.revision)
    allowed = [*source.files, README]
    with _explained(source, section), quiet():
        try:
            listing: list[DryRunFileInfo] = fetch(allow_patterns=allowed, dry_run=True)
        except DryRunError as error:
            return _cached(fetch, allowed, error.__cause__ or error)
        check_names((f.filename for f in listing), f"'{source.id}' at {source.revision}")
        path = Path(fetch(allow_patterns=[CONFIG])) / CONFIG
        architecture(plain_config(read_object(path), path), task, path)
        check_space(path.parent, sum(f.file_size or 0 for f in listing if f.will_download))
        return Path(fetch(allow_patterns=allowed))


def _cached(fetch: Callable[..., Any], allowed: list[str], cause: BaseException) -> Path:
    """Return what is in the cache, or raise why the hub could not be asked."""
    try:
        return Path(fetch(allow_patterns=allowed, local_files_only=True))
    except OSError:
        raise cause from None


@contextmanager
def _explained(source: HubSource, section: str) -> Iterator[None]:
    local = f"give a local copy, {section}={{kind: local, path: …}}"
    try:
        yield
    except UserError:
        raise
    except GatedRepoError:
        raise UserError(
            f"the model '{source.id}' is gated; accept its conditions on its page and log in "
            f"with `hf auth login`, or {local}"
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"the hub has no model '{source.id}', or hides it; correct {section}.id, or log in "
            "with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise UserError(
            f"the hub has no commit '{source.revision}' of '{source.id}'; set "
            f"{section}.revision to a full commit from the model's page"
        ) from None
    except Exception as error:  # the libraries below share no class
        reason = str(error).strip().partition("\n")[0].rstrip(":. ") or type(error).__name__
        raise UserError(
            f"cannot get '{source.id}' from the hub ({reason}); check the network and "
            f"HF_HUB_OFFLINE, or {local}"
        ) from None
