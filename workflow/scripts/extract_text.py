"""Let one pretrained model read all texts; keep what its attention does and what it answers."""

from functools import partial

from pydantic import TypeAdapter

from attnpipe.core.outcome import Outcome
from attnpipe.core.progress import CountLine
from attnpipe.extraction.text.run import PRETRAINED, Captured, capture_texts
from attnpipe.io.outcome import write_outcome
from attnpipe.io.parquet import read_table, write_table
from attnpipe.io.weights import write_text_weights
from attnpipe.pipeline.heads_asked import check_heads, frozen_heads
from attnpipe.pipeline.job import job
from attnpipe.pretrained.files import read_object
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.schema.pretrained import Task
from attnpipe.tables.text import ANSWERS, SEGMENTS, SPANS, TEXT_METRICS, TEXTS, TOKENS
from attnpipe.text.reading import model_texts
from attnpipe.text.tokens import load_tokenizer

with job(snakemake) as ctx:
    ctx.verify("config", "weights", "tokenizer", "tokenizer_config")
    name, spec = ctx.spec["model"], ctx.spec["spec"]
    check_heads(frozen_heads(ctx.write.outcome.parents[3]), name, read_object(ctx.read.config))
    folder, task = ctx.read.config.parent, TypeAdapter(Task).validate_python(spec["task"])
    tokenizer = load_tokenizer(folder)
    texts = read_table(ctx.read.texts, TEXTS), read_table(ctx.read.spans, SPANS)

    def load(checkpoint):
        """Return the model with its own or with random weights."""
        seed = None if checkpoint == PRETRAINED else ctx.spec["seed"]
        return load_model(folder, task, spec["dtype"], untrained_seed=seed)

    work = partial(
        capture_texts, load, name, task, model_texts(name, *texts, tokenizer), tokenizer,
        MetricsSpec.model_validate(ctx.spec["metrics"]),
        TextSpec.model_validate(ctx.spec["text"]),
        untrained=spec["untrained"],
        progress=CountLine(f"extract_text {name}"),
    )  # fmt: skip
    nothing = [table.frame() for table in (TOKENS, ANSWERS, TEXT_METRICS, SEGMENTS)]
    found = ctx.attempt(work, Captured(*nothing))
    write_table(ctx.write.tokens, found.tokens, TOKENS)
    write_table(ctx.write.answers, found.answers, ANSWERS)
    write_table(ctx.write.streamed, found.metrics, TEXT_METRICS)
    write_table(ctx.write.row_segments, found.segments, SEGMENTS)
    write_text_weights(ctx.write.attention, found.arrays, found.checkpoints)
    ended = "failed" if ctx.failure else "ok"
    write_outcome(ctx.write.outcome, Outcome(ended, ctx.failure, parameters=found.parameters))
