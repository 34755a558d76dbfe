"""The table of causal evidence."""

from attnpipe.tables.base import INT, REAL, TEXT, Column, Table
from attnpipe.tables.columns import RUN

EFFECTS = Table("effects", "what the model loses when its attention is replaced, or was never trained: positive = attention was good for something", {
    "level": Column(TEXT, "`model`: over seeds; `seed`: one seed alone"),
    "model": RUN["model"],
    "kind": Column(TEXT, "`intervention` on frozen weights (`…_finetuned`: trained further under it), or retrained `arm`"),
    "code": Column(TEXT, "`E1` to `E4`, `R0` to `R2`: what gates ask for; null for the others"),
    "name": Column(TEXT, "intervention as in `interventions`, or arm: `none`, `uniform`, `static`"),
    "against": Column(TEXT, "model that is the arm"),
    "layer": Column(INT, "the only layer the intervention acts in; null: all"),
    "head": Column(INT, "the only head it acts on, by the name of its partner in the model's first seed (heads of seeds that were not compared have none and are left out: `similarity`); null: all"),
    "removed": Column(INT, "heads removed, for `cumulative_heads` and `random_heads` (mean over draws)"),
    "metric": Column(TEXT, "`loss`: loss under the intervention (of the arm) − loss of the model, in the unit of the loss; `skill_units`: that / (trivial loss − loss of the model); `log_ratio`: mean ln(loss under it / loss), unit by unit, for skewed losses; `log_of_means`: the same of a seed's mean losses, for seeds that lose different multiples (`E1` to `E4`)"),
    "seed": Column(INT, "seed, at level `seed`"),
    "value": Column(REAL, "the effect"),
    "lo95": Column(REAL, "lower end of the 95 % interval, two-way (seed × unit); null for one seed or one unit"),
    "hi95": Column(REAL, "its upper end"),
    "lo90": Column(REAL, "90 % interval of the two one-sided tests"),
    "hi90": Column(REAL, "its upper end"),
    "df": Column(REAL, "Satterthwaite degrees of freedom"),
    "n_seeds": Column(INT, "seeds; copies of a run count once"),
    "n_units": Column(INT, "units of test items"),
    "copies": Column(INT, "of an arm: seeds left out because both models agree in every bit, so that one run stands under two names (not R1 where E2, R2 where E3 changes nothing)"),
    "hedges_g": Column(REAL, "standardised effect over seeds, small-sample corrected"),
    "p": Column(REAL, "two-sided p of no effect, by the same variance as the interval"),
    "p_holm": Column(REAL, "the same, adjusted over models (Holm), for codes at level `model`"),
    "p_claim": Column(REAL, "p of the claim that the value makes against its margins: beyond one, two-sided; between ±margin (arms), the larger of two one-sided ones"),
    "p_claim_holm": Column(REAL, "the same, adjusted over models (Holm)"),
    "p_bh": Column(REAL, "adjusted (Benjamini–Hochberg) over the heads of the model, for single heads, or over its layers, for an intervention in single layers"),
    "p_by": Column(REAL, "the same under any dependence (Benjamini–Yekutieli)"),
    "p_sign_flip": Column(REAL, "two-sided sign-flip test over seeds"),
    "p_smallest": Column(REAL, "smallest p this test can give with so many seeds"),
    "margin": Column(REAL, "δ in the unit of `value` (of `log_of_means`: ln(1 + δ · skill / loss)); null for `log_ratio` and without skill"),
    "seeds_needed": Column(INT, "seeds, in all, at which the margin (of arms: the nearest of ±margin) would leave the interval that a gate asks, if mean and spread stayed; null: none, more test units are needed"),
})  # fmt: skip
