"""The description of a study for a person."""

from collections import Counter
from typing import Any

from attnpipe.pipeline.room import size_in_words


def as_text(facts: dict[str, Any]) -> str:
    """Return the description as aligned text."""
    lines = [f"{facts['study']}: {facts['title']}", f"scale {facts['scale']}"]
    lines += [f"seeds {', '.join(map(str, facts['seeds']))}", "", _data(facts), "", "models"]
    lines += [f"  {line}" for line in _models(facts["models"])]
    if facts["training"]:
        t = facts["training"]
        windows = t["windows_per_epoch"] or "all"
        lines += ["", f"training: {t['epochs']} epochs of {windows} windows, {t['optimizer']}"]
    lines += ["", f"analyses: {_analyses(facts)}"]
    lines += [f"  {line}" for line in _options(facts)]
    if facts["interventions"]:
        lines += [f"interventions: {', '.join(facts['interventions'])}"]
    lines += [f"figures: {', '.join(facts['figures'])}", "", "jobs"]
    stale = Counter(job["stage"] for job in facts["out_of_date"])
    for stage, count in facts["jobs"].items():
        due = f"{stale[stage]} to run" if stale[stage] else "up to date"
        lines.append(f"  {stage:<16}{count:>6}   {due}")
    lines += ["", f"disk: about {size_in_words(facts['disk_bytes'])}{_unknown(facts)}"]
    lines += [f"  {facts['disk_lacking']}"] * bool(facts["disk_lacking"])
    lines += [""]
    return "\n".join(lines + _reasons(facts["out_of_date"], sum(facts["jobs"].values())))


def _unknown(facts: dict[str, Any]) -> str:
    """Name the models that are not here yet: their size is not in the estimate, or supposed."""
    names, supposed = facts["disk_unknown"], facts["heads_supposed"]
    text = f", and the weights of {' and '.join(names)}, once obtained" if names else ""
    heads = " and ".join(f"{heads} heads in {name}" for name, heads in supposed.items())
    return text + (f" (supposing {heads}, which the estimate grows with)" if heads else "")


def _data(facts: dict[str, Any]) -> str:
    data = facts["data"]
    if data["kind"] == "saved_weights":
        return f"data: saved weights in {data['path']}, layout {data['layout']}"
    if data["kind"] == "prompts":
        shots = ", ".join(map(str, data["shots"]))
        asked = f"{data['questions']} questions, variants {', '.join(data['variants'])}"
        return f"data: {asked}, {shots} examples in {', '.join(data['few_shot'])}"
    if data["kind"] == "sentences":
        length = f"{data['min_tokens']} to {data['max_tokens']} tokens"
        return f"data: {data['count']} sentences of {length}"
    source = data.get("path") or data.get("package") or "built-in simulator"
    return (
        f"data: {data['kind']} from {source}; {facts['features']} features, "
        f"window {data['window']}, lead {data['lead']}"
    )


def _analyses(facts: dict[str, Any]) -> str:
    if facts["data"]["kind"] in ("prompts", "sentences"):
        return "metrics, segments, contrasts of variants, heads, answers"
    return "metrics, similarity, convergence" + (", forecasts" * bool(facts["training"]))


def _options(facts: dict[str, Any]) -> list[str]:
    """Say by which options and limits the analyses go."""
    analysis, kind = facts["analysis"], facts["data"]["kind"]
    metrics, contrast, text = analysis["metrics"], analysis["contrast"], analysis["text"]
    lines = [
        f"top k {_listed(metrics['top_k'])}; recent k {_listed(metrics['recent_k'])}; a peak "
        f"exceeds the second largest weight by {metrics['peak_tolerance']:g}; a valid row sums "
        f"to 1 within {metrics['row_tolerance']:g}"
    ]
    if kind in ("prompts", "sentences"):
        low, high = text["accuracy_range"]
        return [
            *lines,
            f"sinks {_listed(text['sinks'])}; differences of attention mass matter beyond "
            f"{text['mass_margin']:g}; answers are related to attention where {low:g} to {high:g} "
            f"of them are right; weights per query and key up to {text['dense_limit']} tokens",
        ]
    lines.append(f"practical margin δ {contrast['delta']:g} of the skill")
    if facts["training"]:
        lines[-1] += f"; a forecast is accurate within {contrast['accuracy_threshold']:g}"
        limit = analysis["capture"]["max_megabytes"]
        lines.append(f"full weights up to {limit:g} MB per run, beyond that states of folds")
    return lines


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))


def _models(models: list[dict[str, Any]]) -> list[str]:
    width = max(len(model["name"]) for model in models)
    return [
        f"{model['name']:<{width}}  "
        + _size_of(model)
        + (f", {model['attention']} attention" if model["attention"] else "")
        + (f", baseline {model['baseline']}" if model["baseline"] else "")
        + _arms(model)
        for model in models
    ]


def _arms(model: dict[str, Any]) -> str:
    """Name the variants that are trained beside a model, and which run each is."""
    if not model["arms"]:
        return ""
    return f", arms {', '.join(f'{arm} = {run}' for arm, run in model['arms'].items())}"


def _size_of(model: dict[str, Any]) -> str:
    if model["parameters"]:
        return f"{model['parameters']:>9,} parameters"
    if model["kind"] == "pretrained":
        return f"pretrained, from {model['source']}; its parameters are known once it is obtained"
    return "saved weights"


def _reasons(stale: list[dict[str, Any]], jobs: int) -> list[str]:
    """One line per stage and reason, with an example and how many more."""
    if not stale:
        return ["everything is up to date"]
    if len(stale) == jobs and all(entry["reason"].endswith("is missing") for entry in stale):
        return ["nothing is made yet"]
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in stale:
        label = "/".join(entry["job"].values())
        reason = entry["reason"].replace(label, "…") if label else entry["reason"]
        if entry["reason"].endswith("is missing"):
            reason = "not made yet"
        groups.setdefault((entry["stage"], reason), []).append(label)
    lines = ["out of date"]
    for (stage, reason), labels in groups.items():
        more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
        lines.append(f"  {' '.join([stage, labels[0]]).strip()}{more}: {reason}")
    return lines
