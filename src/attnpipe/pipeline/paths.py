"""Where each stage writes, relative to the project folder."""

from pathlib import PurePosixPath

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
        "outcome": "runs/{model}/seed-{seed}/outcome.json",
    },
    "extract": {
        "evaluation": "runs/{model}/seed-{seed}/evaluation.parquet",
        "attention": "runs/{model}/seed-{seed}/attention.safetensors",
        "probe": "runs/{model}/seed-{seed}/probe.json",
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
    "figure": {"png": "figures/{figure}.png", "svg": "figures/{figure}.svg"},
    "diagnose": {"diagnosis": "report/diagnosis.json"},
    "report": {"html": "report/index.html", "markdown": "report/report.md"},
    "verify": {"marker": "report/.verified"},
}  # fmt: skip

# Seals are named after the rule, or the figure: their jobs share a folder.
SEAL_NAME = {"figure": "figure-{figure}"}

RESULTS = PurePosixPath("results")


def outputs(study: str, stage: str) -> dict[str, str]:
    """Return output name → path pattern of a stage, from the project folder."""
    root = RESULTS / study
    return {name: str(root / pattern) for name, pattern in OUTPUTS[stage].items()}
