import io

from attnpipe.training.progress import ProgressLine


def test_a_line_at_most_every_so_often_with_the_time_left():
    times = iter([0.0, 10.0, 40.0, 50.0, 100.0])
    out = io.StringIO()
    progress = ProgressLine("train m 1", 6, every=30.0, clock=lambda: next(times), stream=out)
    for epoch in (1, 2, 3, 4):
        progress({"epoch": epoch, "validation_loss": 0.5})
    assert out.getvalue().splitlines() == [
        "train m 1: epoch 2 of 6, validation loss 0.5, about 1 min left",
        "train m 1: epoch 4 of 6, validation loss 0.5, about 1 min left",
    ]


def test_a_resumed_training_does_not_count_the_epochs_before():
    times = iter([0.0, 60.0])
    out = io.StringIO()
    progress = ProgressLine("train m 1", 100, every=30.0, clock=lambda: next(times), stream=out)
    progress({"epoch": 90, "validation_loss": 0.25})
    after, last = out.getvalue().splitlines()
    assert after == "train m 1: goes on after epoch 89 of 100"
    assert last.endswith("about 10 min left")
