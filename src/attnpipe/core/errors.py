"""The one exception class whose message is meant for the user."""


class UserError(Exception):
    """A mistake or fault that the user can mend.

    The message is one sentence that names the thing, the value and the cure.
    Entry points print it without a traceback.
    """
