"""Lines of progress while texts are read."""

import io

from attnpipe.core.progress import CountLine, Line


def test_a_line_at_most_every_so_often_with_the_time_left_for_what_is_being_done() -> None:
    times = iter([0.0, 20.0, 40.0, 60.0, 100.0, 160.0])
    out = io.StringIO()
    progress = CountLine("extract_text chat", clock=lambda: next(times), stream=out)
    for doing, done, of in [("reading", 1, 8), ("reading", 2, 8), ("reading", 3, 8),
                            ("answering", 1, 4), ("answering", 2, 4)]:  # fmt: skip
        progress(doing, done, of)
    assert out.getvalue().splitlines() == [
        "extract_text chat: reading, 2 of 8, about 2 min left",
        "extract_text chat: answering, 1 of 4, about 2 min left",
        "extract_text chat: answering, 2 of 4, about 2 min left",
    ]


def test_what_must_be_known_is_a_line_of_the_job_on_standard_error(capsys) -> None:
    Line("intervene m 1")("warning: so few")
    assert capsys.readouterr() == ("", "intervene m 1: warning: so few\n")
