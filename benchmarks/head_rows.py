"""What it changes that heads are compared on 64 rows of a text, and what all rows would cost.

    python benchmarks/head_rows.py [FOLDER] [--text docs/methods.md] [--lengths 256 1024]

FOLDER is a pretrained model with its tokenizer, such as `results/prompts/models/chat`; without
it, GPT-2's shape with random weights reads random tokens. It prints a Markdown table: how far
the mean √(JSD/ln 2) of every two heads of a layer, with all keys, on 64 evenly spaced rows is
from that on all rows, and the CPU time of a pass with each over that of the forward pass alone
(least of three, one thread).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from benchmarks.capturing.methods import OPTIONS
from benchmarks.capturing.model import save, tokens
from transformers import AutoModel, AutoTokenizer

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.attention.kernel.fused_tokens import FusedTokenBattery
from attnpipe.core.text import TokenText
from attnpipe.metrics.tokens.head_distances import ROWS
from attnpipe.metrics.tokens.texts import Texts

ROOT = Path(__file__).parents[1]
RANDOM_LAYERS = 4


def inputs(folder: str | None, text: Path, length: int) -> tuple[Any, torch.Tensor]:
    """Return a model and the ids that it reads."""
    if folder is None:
        with tempfile.TemporaryDirectory() as place:
            save(Path(place), RANDOM_LAYERS, length)
            return AutoModel.from_pretrained(place), tokens(length)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text.read_text(), return_tensors="pt", verbose=False)["input_ids"]
    if ids.shape[1] < length:
        raise SystemExit(f"{text} has {ids.shape[1]} tokens, not {length}: name a longer text")
    return AutoModel.from_pretrained(folder), ids[:, :length]


def observed(model: Any, ids: torch.Tensor, rows: int) -> FusedTokenBattery:
    """Return what a pass found with heads compared on that many rows."""
    n = ids.shape[1]
    place = np.arange(n)
    text = TokenText("x" * n, ids[0].numpy(), np.stack([place, place + 1], -1), np.zeros(n, bool))
    battery = FusedTokenBattery(OPTIONS, Texts.of({0: text}), distance_rows=rows)
    with torch.inference_mode(), adapted(model), observing(battery):
        model(ids, use_cache=False)
    return battery


def far(battery: FusedTokenBattery) -> np.ndarray:
    """Return the distance of every two heads, layer by layer."""
    found = [fold.views["all", None].distances.mean()[..., 0] for fold in battery.folds.values()]
    first, second = np.triu_indices(len(found[0]), 1)
    return np.concatenate([one[first, second] for one in found])


def seconds(run: Callable[[], object]) -> float:
    """Return the least CPU time of three runs."""
    spent = []
    for _ in range(3):
        begin = time.process_time()
        run()
        spent.append(time.process_time() - begin)
    return min(spent)


def plain(model: Any, ids: torch.Tensor) -> None:
    """Run the forward pass alone."""
    with torch.inference_mode():
        model(ids, use_cache=False)


def table(folder: str | None, text: Path, lengths: list[int]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "| tokens | pairs | distance, all rows | mean error | 95 % of errors below | largest error "
        f"| time, {ROWS} rows | time, all rows |"
    )
    yield "|---" * 8 + "|"
    for length in lengths:
        model, ids = inputs(folder, text, length)
        some, whole = far(observed(model, ids, ROWS)), far(observed(model, ids, length))
        error = np.abs(some - whole)
        alone = seconds(lambda: plain(model, ids))  # noqa: B023  called at once
        ratios = [
            seconds(lambda: observed(model, ids, rows)) / alone  # noqa: B023
            for rows in (ROWS, length)
        ]
        cells = [f"{np.mean(whole):.3f}", f"{np.mean(error):.4f}"]
        cells += [f"{np.quantile(error, 0.95):.4f}", f"{error.max():.4f}"]
        cells += [f"{ratio:.2f}" for ratio in ratios]
        yield f"| {length} | {len(whole)} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="a pretrained model; none: random weights")
    parser.add_argument("--text", type=Path, default=ROOT / "docs" / "methods.md")
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 1024])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for line in table(args.folder, args.text, args.lengths):
        print(line, flush=True)


if __name__ == "__main__":
    main()
