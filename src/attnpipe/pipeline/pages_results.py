"""`docs/results.md`: every file and every column, from the schemas themselves."""

from attnpipe.metrics.catalogue import catalogue
from attnpipe.pipeline.paths import OUTPUTS
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.base import Table
from attnpipe.tables.compression import COMPRESSION, COMPRESSION_LOSSES
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tables.metrics import METRICS
from attnpipe.tables.study import STUDY_TABLES
from attnpipe.tables.text import (
    SEGMENTS,
    SPANS,
    TEXT_INTERVENTIONS,
    TEXT_METRICS,
    TEXT_TABLES,
    TEXTS,
)

FILES = {
    "dataset": "prepared series, window ends of each split, probe set; see `data/dataset.py`",
    "description": "source, version, checksum, columns and units, split, scaling",
    "checkpoints": "weights at `untrained`, every kept epoch, and `best`: `<checkpoint>/<tensor>`",
    "history": "table `history`",
    "outcome": "`ok`, `diverged`, `failed` or `refused`, the reason, parameters, best epoch, "
    "names of the kept checkpoints",
    "evaluation": "table `evaluation`",
    "attention": "weights on the probe set, `<checkpoint>/<layer>/weights` [head, sample, query, "
    "key] float32, with `support`, `query_positions`, `key_positions`, `samples`, and fold states "
    "where the weights exceed `analysis.capture.max_megabytes`; checkpoint `shuffled_inputs`: the "
    "final weights on probe inputs in random order",
    "probe": "halves of the probe set, final checkpoint, what is unknowable",
    "interventions": "table `interventions`",
    "losses": "table `compression_losses`",
    "metrics": "table `metrics` of the run, or over seeds",
    "config": "the model's architecture, as transformers reads it",
    "weights": "the model's weights",
    "tokenizer": "the model's tokenizer",
    "tokenizer_config": "its special tokens and chat template",
    "facts": "source, version, checksum, parameters, and how the conversion was checked",
    "texts": "table `texts`",
    "spans": "table `spans`",
    "tokens": "table `tokens`",
    "answers": "table `answers`",
    "streamed": "table `text_metrics`: means over all rows, folded while the model ran",
    "row_segments": "table `segments`: means over all rows and heads, folded while the model ran",
    "segments": "table `segments`: the last token's row",
    "export": "layer entropies and head specialisation under document 3's keys, and beside them",
    "png": "a figure for screens",
    "svg": "the same figure for print",
    "diagnosis": "provenance, evidence, and findings with their evidence ids, effect, interval and n; "
    "schema: `diagnosis.schema.json`",
    "html": "the report, one file, no network needed; it names the first 200 rows behind a sentence, "
    "`diagnosis.json` all",
    "markdown": "the same report as Markdown",
    "marker": "made when every run ended well; else the command's exit code is not 0",
}
OF_TEXTS = {
    "extract_text.attention": "`<checkpoint>/last/<item>` [layer, head, key]: the last token's row "
    "of every text; `<checkpoint>/full/<item>` [layer, head, query, key]: all rows of the texts of "
    "the representative question; float32, 0 only where a key is not visible",
    "intervene_text.interventions": "table `text_interventions`",
    "measure_text.metrics": "table `text_metrics`: the last token's row",
}

HEAD = """# Results

*Generated from the schemas by `make docs`.*

Everything lies below `results/<study>/`. `config.json` there records the resolved config and the
fingerprints and versions of the software that ran; `.controller` names the process that runs the
study, or ran it last. `.resume/` holds the last epoch of trainings that were interrupted, and only
them: it may be deleted, and they begin anew. Beside its outputs each job leaves a seal,
`.<rule>.seal.json`: its param, size, mtime and SHA-256 of what it wrote, and the SHA-256 of what
it read. A file that is not what its job wrote is refused by every reader, and its job runs again.

Apart from the seals, outputs hold no clock, host name or absolute path: the same inputs on the
same machine give the same bytes.

## Files

| rule | file | content |
|---|---|---|
"""


def results_page() -> str:
    """Return the page as Markdown."""
    rows = [
        f"| `{stage}` | `{path}` | {_content(stage, name, path)} |"
        for stage, files in OUTPUTS.items()
        for name, path in files.items()
    ]
    tables = {"evaluation": EVALUATION, "metrics of a run": METRICS}
    tables |= {"interventions": INTERVENTIONS, **STUDY_TABLES}
    tables |= {t.name: t for t in (COMPRESSION_LOSSES, COMPRESSION)}
    of_texts = (TEXTS, SPANS, TEXT_METRICS, SEGMENTS, TEXT_INTERVENTIONS)
    tables |= {t.name: t for t in of_texts} | TEXT_TABLES
    sections = [_table(name, table) for name, table in tables.items()]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections) + "\n" + _metrics()


def _content(stage: str, name: str, path: str) -> str:
    if path.startswith("aggregate/"):
        table = path.rsplit("/", 1)[1].partition(".")[0]
        return f"table `{table}`" + (", for people" if ".csv" in path else "")
    return OF_TEXTS.get(f"{stage}.{name}", FILES[name])


def _table(name: str, table: Table) -> str:
    kinds = {"Int64": "integer", "Float64": "number", "String": "text", "Boolean": "true or false"}
    lines = [f"## Table `{name}`", "", f"{table.meaning[0].upper()}{table.meaning[1:]}.", ""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    for column, entry in table.columns.items():
        meaning = entry.meaning.replace("|", "\\|")
        lines.append(f"| `{column}` | {kinds[entry.dtype]} | {meaning} |")
    return "\n".join(lines) + "\n"


def _metrics() -> str:
    lines = ["## Metrics", "", "Rows first, averages afterwards: row → sample → head → seed.", ""]
    lines += ["| metric | meaning |", "|---|---|"]
    for name, meaning in catalogue(MetricsSpec(), tokens=True).items():
        text = meaning.replace("|", "\\|")
        lines.append(f"| `{name}` | {text} |")
    return "\n".join(lines) + "\n"
