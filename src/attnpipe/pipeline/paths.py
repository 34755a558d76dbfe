"""Where each stage writes, relative to the project folder."""

from pathlib import PurePosixPath

from attnpipe.tables.text import TEXT_TABLES

# Stage → output name → path below results/<study>/, with wildcards in braces.
OUTPUTS: dict[str, dict[str, str]] = {
    "prepare_data": {
        "dataset": "data/{dataset}.safetensors",
        "description": "data/{dataset}.json",
    },
    "list_weights": {"description": "data/{dataset}.json"},
    "train": {
        "checkpoints": "runs/{model}/seed-{seed}/checkpoints.safetensors",
        "history": "runs/{model}/seed-{seed}/history.parquet",
        "evaluation": "runs/{model}/seed-{seed}/evaluation.parquet",
        "outcome": "runs/{model}/seed-{seed}/outcome.json",
    },
    "extract": {
        "attention": "runs/{model}/seed-{seed}/attention.safetensors",
        "probe": "runs/{model}/seed-{seed}/probe.json",
    },
    "intervene": {"interventions": "runs/{model}/seed-{seed}/interventions.parquet"},
    "compress": {"losses": "runs/{model}/seed-{seed}/compression.parquet"},
    "compress_text": {"losses": "runs/{model}/seed-{seed}/compression.parquet"},
    "compression": {
        "compression_parquet": "aggregate/compression.parquet",
        "compression_csv": "aggregate/compression.csv",
    },
    "import_weights": {
        "attention": "runs/{model}/seed-{seed}/attention.safetensors",
        "probe": "runs/{model}/seed-{seed}/probe.json",
        "outcome": "runs/{model}/seed-{seed}/outcome.json",
    },
    "measure": {"metrics": "runs/{model}/seed-{seed}/metrics.parquet"},
    "aggregate": {
        name: f"aggregate/{{model}}/{name}.parquet"
        for name in (
            "inventory", "metrics", "metric_values", "similarity", "convergence", "history",
        )
    },
    "compare": {
        f"{name}_{kind}": f"aggregate/{name}.{kind}"
        for name in (
            "inventory", "metrics", "metric_values", "similarity", "convergence", "history",
        )
        for kind in ("parquet", "csv")
    },
    "contrast": {
        "comparisons_parquet": "aggregate/comparisons.parquet",
        "comparisons_csv": "aggregate/comparisons.csv",
    },
    "effects": {
        "effects_parquet": "aggregate/effects.parquet",
        "effects_csv": "aggregate/effects.csv",
    },
    "obtain_model": {
        "config": "models/{model}/config.json",
        "weights": "models/{model}/model.safetensors",
        "tokenizer": "models/{model}/tokenizer.json",
        "tokenizer_config": "models/{model}/tokenizer_config.json",
        "facts": "models/{model}/attnpipe.json",
    },
    "prepare_texts": {
        "texts": "data/{dataset}.texts.parquet",
        "spans": "data/{dataset}.spans.parquet",
        "description": "data/{dataset}.json",
    },
    "extract_text": {
        "tokens": "runs/{model}/seed-{seed}/tokens.parquet",
        "answers": "runs/{model}/seed-{seed}/answers.parquet",
        "streamed": "runs/{model}/seed-{seed}/streamed.parquet",
        "row_segments": "runs/{model}/seed-{seed}/row_segments.parquet",
        "attention": "runs/{model}/seed-{seed}/attention.safetensors",
        "outcome": "runs/{model}/seed-{seed}/outcome.json",
    },
    "intervene_text": {"interventions": "runs/{model}/seed-{seed}/interventions.parquet"},
    "measure_text": {
        "metrics": "runs/{model}/seed-{seed}/metrics.parquet",
        "segments": "runs/{model}/seed-{seed}/segments.parquet",
    },
    "aggregate_text": {name: f"aggregate/{{model}}/{name}.parquet" for name in TEXT_TABLES},
    "compare_text": {
        f"{name}_{kind}": f"aggregate/{name}.{kind}"
        for name in TEXT_TABLES
        for kind in ("parquet", "csv")
    },
    "export_text": {"export": "report/{model}_attention_results.json"},
    "figure": {"png": "figures/{figure}.png", "svg": "figures/{figure}.svg"},
    "diagnose": {"diagnosis": "report/diagnosis.json"},
    "report": {"html": "report/index.html", "markdown": "report/report.md"},
    "verify": {"marker": "report/.verified"},
}  # fmt: skip

LOCAL = ("prepare_data", "prepare_texts", "obtain_model", "list_weights", "verify")
"""Stages that run beside Snakemake itself: they download, which nodes of a cluster often cannot,
or have next to nothing to do."""

SUBMITTED = [stage for stage in OUTPUTS if stage not in LOCAL]
"""Stages that a cluster runs."""

# Seals are named after the rule, or the figure: their jobs share a folder.
SEAL_NAME = {"figure": "figure-{figure}"}

RESULTS = PurePosixPath("results")


def outputs(study: str, stage: str) -> dict[str, str]:
    """Return output name → path pattern of a stage, from the project folder."""
    root = RESULTS / study
    return {name: str(root / pattern) for name, pattern in OUTPUTS[stage].items()}
