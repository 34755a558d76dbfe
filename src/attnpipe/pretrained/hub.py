"""Files of a model from the Hugging Face hub, at one commit."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
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
    again, and needs no network; it is compared with its checksum each time.

    Raises
    ------
    UserError
        The hub cannot be reached, does not know the repository or the commit, the model cannot
        be used, or a file is not what the hub says it is.
    """
    folder = _fetch(source, task, section)
    check_cached(folder, [*source.files, README])
    return folder


def _fetch(source: HubSource, task: Task, section: str) -> Path:
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


def check_cached(folder: Path, patterns: Iterable[str]) -> None:
    """Raise a `UserError` unless files in the hub's cache are what the hub said they are.

    The cache holds each file under its ETag, to which its name in the folder is a link: the
    SHA-256 of a large file (https://git-lfs.com), Git's SHA-1 of any other
    (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects). Where links cannot be made it
    holds no checksums, and nothing can be compared.
    """
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        if not path.is_symlink():
            continue
        blob = path.parent / path.readlink()
        if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name) and blob.name != _etag(blob):
            raise UserError(
                f"'{path.name}' in the hub's cache is not what the hub sent (checksum differs); "
                f"delete '{blob.resolve()}' and run again"
            )


def _etag(blob: Path) -> str:
    """Return the checksum of a file of the kind that its name is."""
    with blob.open("rb") as file:
        if len(blob.name) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest()
        found = hashlib.sha1(b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
        while chunk := file.read(1 << 20):
            found.update(chunk)
        return found.hexdigest()


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
