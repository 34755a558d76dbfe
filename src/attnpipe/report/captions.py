"""What each figure shows, for captions and for readers who do not see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """Title, caption and alternative text of a figure, and the tables with its values."""

    title: str
    text: str
    alt: str
    tables: tuple[str, ...]


CAPTIONS: dict[str, Caption] = {
    "summary": Caption(
        "At a glance",
        "One row per model. Filled marks are measured row by row, with their interval; hollow "
        "marks are the numbers as published, from averaged profiles.",
        "Six dot plots, one row per model with attention: entropy, weight on the newest keys, "
        "content share, likeness of seeds, skill, and gain over the baseline.",
        ("metrics.csv", "similarity.csv", "comparisons.csv"),
    ),
    "gates": Caption(
        "Is attention used, and does it help?",
        "What a model loses, in units of its skill, when attention is replaced at frozen weights "
        "(E1 output by its mean, E2 equal weights, E3 mean weights of the position, E4 rows of "
        "other samples), and what models lose that were trained in its place (R0 without "
        "attention, R1 with equal weights, R2 with learned weights per position). The band is ±δ.",
        "One dot plot per model with attention: seven effects with their seeds and intervals.",
        ("effects.csv",),
    ),
    "use_and_benefit": Caption(
        "Is what is used also beneficial?",
        "Each model by what it loses with equal weights put in place of its own (to the right) and "
        "by what simpler models, trained in the same way, lose against it (upwards).",
        "Scatter plot of models: use against benefit, with intervals in both directions.",
        ("effects.csv",),
    ),
    "compression": Caption(
        "How much of the input is needed?",
        "Loss that is added when tokens are removed, by policy and share kept, in units of the "
        "model's skill, on the items on which a policy is chosen. Bars reach up to the bound that "
        "holds for all at once; the ring marks the smallest input that stays within δ.",
        "Line plots of loss over the share of tokens kept, one line per policy.",
        ("compression.csv",),
    ),
    "answer_effects": Caption(
        "Do answers rest on attention?",
        "What the right answers lose while weights are replaced, in all layers and in groups of "
        "neighbouring ones, in units of what the question tells of its answer.",
        "Dot plot: loss under each replacement, for all layers and for groups of layers.",
        ("text_effects.csv",),
    ),
    "ablation": Caption(
        "How many heads can go?",
        "Loss of skill as ever more heads give back their mean over training samples: in the order "
        "in which they are missed least, chosen on validation data, and in random orders.",
        "One line plot per model: loss of skill over the heads removed, greedy and random.",
        ("effects.csv",),
    ),
    "heads_over_training": Caption(
        "Heads over training",
        "For the heads of up to 50 seeds, the mean weight on the token before (left) and on tokens "
        "that follow an earlier occurrence of the present one (right), epoch by epoch. An "
        "induction circuit is a head of the first kind in a layer below one of the second kind.",
        "Line plots of two head scores over epochs, one panel per model and layer.",
        ("metric_values.csv",),
    ),
    "forest": Caption(
        "Gain and skill",
        "Gain over the baseline in units of the model's skill, with the interval over seeds and "
        "test units; the band is ±δ. Below: skill of every model over the best trivial forecast.",
        "Forest plot: one interval per model with attention against its baseline, and one "
        "interval of skill per model.",
        ("comparisons.csv",),
    ),
    "entropy": Caption(
        "Entropy of the final weights",
        "Left: entropy of single rows, averaged. Right: entropy of the averaged profile, as "
        "published. The right can be higher because rows that look at different keys have a flat "
        "average, and lower because it is divided by ln T, not by ln of each row's own n, or is "
        "the last query's row alone (additive models).",
        "Two dot plots of normalised entropy, one row per model: seeds, mean and interval, and "
        "the mean before training; 1 is uniform.",
        ("metrics.csv", "metric_values.csv"),
    ),
    "profiles": Caption(
        "Temporal profiles",
        "Mean weight on each key position: thin lines are up to 50 seeds, the bold line is the "
        "mean of all, the band its interval; the dashed line is uniform attention.",
        "One line chart per model: attention weight over key positions from oldest to newest.",
        ("metrics.csv", "metric_values.csv"),
    ),
    "profile_overlay": Caption(
        "Profiles compared",
        "Mean profile of every model in one panel, with intervals over seeds.",
        "Line chart: one mean attention profile per model over key positions.",
        ("metrics.csv",),
    ),
    "seed_similarity": Caption(
        "Likeness of seeds",
        "Pairs of seeds: the published cosine beside the centred cosine of rows, with mean and "
        "jackknife interval, trained (filled) and before training (hollow). The published cosine "
        "may be near 1 even for untrained models: of unrelated weights it is about "
        "1 / (1 + CV²).",
        "Per model two matrices of likeness between seeds and a dot plot of all pairs.",
        ("similarity.csv",),
    ),
    "stability": Caption(
        "Stability against its null",
        "Centred cosine of rows between seeds, layer by layer, heads matched first; beside it what "
        "matching finds among independent heads of the same shape, and what untrained models, "
        "position alone, and rows as sharp at random keys give.",
        "Dot plot: one row per model and layer, pairs of seeds, mean and interval, and the nulls.",
        ("similarity.csv",),
    ),
    "variation": Caption(
        "Variation over seeds",
        "Standard deviation over mean, over n seeds and times 1 + 1 / (4n), of the final weight at "
        "each key position in the row that the published profile takes.",
        "One bar chart per model: coefficient of variation over key positions.",
        ("similarity.csv",),
    ),
    "entropy_over_epochs": Caption(
        "Entropy while training",
        "Entropy of rows (solid) and of the averaged profile (dotted) at every kept checkpoint.",
        "One line chart per model: normalised entropy over epochs, a thin line per seed, up to 50.",
        ("convergence.csv", "metric_values.csv"),
    ),
    "epoch_heatmaps": Caption(
        "Profile while training",
        "Mean weight by epoch and key position for one representative seed.",
        "One heat map per model: epochs from top to bottom, key positions from left to right.",
        ("metric_values.csv",),
    ),
    "loss_curves": Caption(
        "Losses while training",
        "Training and validation loss, both in units of the variance of the training data's "
        "target, a thin line per seed, up to 50. Where the validation data vary less, their loss "
        "is lower from the first epoch on. The training loss is a mean over the epoch, taken while "
        "weights change.",
        "One line chart per model: training and validation loss over epochs.",
        ("history.csv",),
    ),
    "answers": Caption(
        "Answers",
        "Share of right answers by variant of the prompt, with Wilson's interval over questions. "
        "Inside the band some answers are right and some are wrong, so that attention can be "
        "related to being right.",
        "Dot plot: one row per variant of the prompt with its share of right answers and interval.",
        ("accuracy.csv",),
    ),
    "layer_entropy": Caption(
        "Entropy by layer",
        "How distributed the last token's attention is. Left: entropy of each head's row over ln "
        "of its own n keys, then averaged over heads. Right: entropy of the row averaged over "
        "heads first, as published, which heads that look at different tokens raise and which "
        "depends on the length of the prompt.",
        "Two line charts over layers, one curve per variant of the prompt with a band: normalised "
        "entropy of rows, and entropy in nats of the mean row.",
        ("text_summary.csv",),
    ),
    "segment_mass": Caption(
        "Attention to the parts of the prompt",
        "Above: the last token's weights on each part, stacked; a first token that is a sink is "
        "counted as such. Below: the mass over what uniform attention would give to as many "
        "tokens, so that prompts of different length compare.",
        "Per variant of the prompt a stacked bar per layer and below it curves of relative mass, "
        "one per part: instruction, examples, question, answer cue.",
        ("segment_summary.csv", "text_summary.csv"),
    ),
    "few_shot": Caption(
        "Attention to the examples' answers",
        "The last token's attention to the answer of each example, raw and over what uniform "
        "attention would give: over all layers above, layer by layer below.",
        "Dot plots of mass and relative mass by example and number of examples, and one line "
        "chart over layers per number of examples.",
        ("segment_summary.csv",),
    ),
    "prompt_sensitivity": Caption(
        "Prompt-sensitive layers",
        "Distance between the last token's rows under different variants, on the tokens of the "
        "question that all variants share, with that between different questions under the same "
        "variant. Layers are marked where their distance exceeds the mean of the other layers.",
        "Two line charts over layers, with and without sinks: distance between variants and "
        "between questions, with bands.",
        ("text_contrasts.csv",),
    ),
    "keywords": Caption(
        "Attention to keywords",
        "Mass of the last token's row on each keyword, sorted; hollow marks are the number by the "
        "published rule, which finds substrings of tokens and collapses equal tokens.",
        "One dot plot per variant of the prompt: keywords by descending mass, with intervals.",
        ("segment_summary.csv",),
    ),
    "prompt_maps": Caption(
        "Maps between tokens",
        "Weights between the tokens of the representative text, of a longer one its first 20 "
        "unless the config says otherwise. Special tokens and the first one are grey and not on "
        "the colour scale.",
        "One heat map per variant of the prompt: attending tokens from top to bottom, attended "
        "ones from left to right.",
        ("maps.csv", "tokens.csv"),
    ),
    "head_atlas": Caption(
        "Atlas of heads",
        "What each head does: layers from left to right, heads downwards, one map per metric. "
        "Triangles mark the most focused and the most distributed heads.",
        "One heat map per metric, layers by heads, each with its own colour bar.",
        ("text_summary.csv", "heads.csv"),
    ),
    "head_similarity": Caption(
        "Likeness of heads",
        "Distance between all pairs of heads over the same rows (64 evenly spaced ones of a longer "
        "text), ordered by cluster, with all keys and without sinks, which make heads look alike; "
        "strips show the heads' layers.",
        "Square matrices of distances between heads with borders between clusters and a strip of "
        "layer colours.",
        ("head_distances.csv", "heads.csv"),
    ),
}


def caption(name: str) -> Caption:
    """Return the caption of a figure; one that is not known here is shown by its name."""
    fallback = name.replace("_", " ")
    return CAPTIONS.get(name, Caption(fallback, fallback, f"Figure: {fallback}.", ()))
