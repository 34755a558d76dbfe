"""Which checkpoints a run has, and which of them is final."""

from attnpipe.core.errors import UserError
from attnpipe.io.outside.source import shown
from attnpipe.saved_weights.files import TEST, RunFiles
from attnpipe.saved_weights.layout_profiles import TEST_FILE


def grouped(files: RunFiles) -> dict[str, list[str]]:
    """Return checkpoint → files, epochs first.

    Raises
    ------
    UserError
        When the run has no files, or one whose name says no epoch or batch, or two
        epochs or batches of one number.
    """
    if not files.files:
        raise UserError(
            f"folder '{files.folder}' holds neither 'attention_epoch_NNN.npy' nor "
            f"'{TEST_FILE}'; add weights or remove the folder"
        )
    numbers: dict[tuple[str, int], str] = {}
    for file in files.files:
        if file.checkpoint is None:
            raise UserError(
                f"'{shown(file.name)}' has no number where one belongs; number it or rename it"
            )
        digits = file.name.rpartition("_")[2].partition(".")[0]
        if not digits.isdecimal():
            continue
        number = (file.checkpoint, int(digits))
        if number in numbers:
            raise UserError(
                f"'{numbers[number]}' and '{file.name}' have the same number; remove one of them"
            )
        numbers[number] = file.name
    found: dict[str, list[str]] = {}
    for file in files.files:
        found.setdefault(str(file.checkpoint), []).append(file.name)
    return found


def final_checkpoint(policy: str, files: RunFiles) -> str:
    """Return the checkpoint that counts as final.

    Parameters
    ----------
    policy
        ``test``, ``last_epoch``, or ``auto``: test where present, else the last epoch.

    Raises
    ------
    UserError
        When the run does not have what the policy asks for.
    """
    epochs = [checkpoint for checkpoint in files.checkpoints if checkpoint != TEST]
    has_test = TEST in files.checkpoints
    if policy == "test" and not has_test:
        raise UserError(
            f"folder '{files.folder}' has no '{TEST_FILE}', which data.final=test asks for; "
            "add it or set data.final=auto"
        )
    if policy == "last_epoch" and not epochs:
        raise UserError(
            f"folder '{files.folder}' has no 'attention_epoch_NNN.npy', which "
            "data.final=last_epoch asks for; add one or set data.final=auto"
        )
    return TEST if has_test and policy != "last_epoch" else epochs[-1]
