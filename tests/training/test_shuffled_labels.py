"""Training on the targets of other items: repeatable, from the same start, tested as ever."""

from dataclasses import replace

import numpy as np

from attnpipe.training.run import train
from attnpipe.training.seeds import Seeds


def test_it_is_repeatable_to_the_bit_and_another_run_than_on_true_labels(
    make_dataset, make_model, make_training, same_bits
) -> None:
    data, model = make_dataset(), make_model("simple", shuffled_labels=True)
    one, again, other = (train(data, model, make_training(), s, name="m") for s in (7, 7, 8))
    assert same_bits(one, again)
    assert not same_bits(one, other)
    true = train(data, make_model("simple"), make_training(), 7, name="m")
    assert not same_bits(one, true)
    for name, start in true.checkpoints["untrained"].items():
        assert np.array_equal(one.checkpoints["untrained"][name], start)
    shared = ["item", "target", "trivial_loss"]
    assert one.evaluation.select(shared).equals(true.evaluation.select(shared))


def test_it_is_training_on_data_whose_targets_were_permuted(
    make_dataset, make_model, make_training
) -> None:
    data = make_dataset()
    rng, target = np.random.default_rng(Seeds.of(7).labels), data.target.copy()
    for split in ("train", "validation"):
        ends = data.splits[split]
        target[ends] = data.target[ends][rng.permutation(len(ends))]
    by_hand = train(
        replace(data, target=target), make_model("simple"), make_training(), 7, name="m"
    )
    found = train(data, make_model("simple", shuffled_labels=True), make_training(), 7, name="m")
    assert found.history.equals(by_hand.history)
    for name, weights in by_hand.checkpoints["best"].items():
        assert np.array_equal(found.checkpoints["best"][name], weights)
