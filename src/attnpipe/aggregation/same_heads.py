"""Single heads of all seeds under the names that their partners have in one of them."""

import polars as pl

from attnpipe.aggregation.matched import MEASURE

SINGLE_HEAD = "single_head"


def same_heads(interventions: pl.DataFrame, similarity: pl.DataFrame) -> pl.DataFrame:
    """Rename the heads that were removed one by one, so that one name is one head.

    The order of heads is arbitrary: what head 0 of one seed does, head 3 of another may do,
    and a mean over seeds by index mixes them. Partners are those of `aggregation.matched`,
    found on half A of the probe set; the reference is the seed that they were looked for.

    Parameters
    ----------
    interventions
        `tables.INTERVENTIONS` of one model, of all its seeds.
    similarity
        `tables.SIMILARITY` of the model.

    Returns
    -------
    DataFrame
        The same table. Rows of a single head without a partner in the reference are left
        out; without any partners the reference is the first seed.
    """
    single = pl.col("intervention") == SINGLE_HEAD
    heads = interventions.filter(single)
    if heads.is_empty():
        return interventions
    partners = similarity.filter(
        (pl.col("level") == "head")
        & (pl.col("measure") == MEASURE)
        & (pl.col("checkpoint") != "untrained")
    ).select("layer", seed="seed_b", head="target", reference="seed_a", name="head")
    first = partners["reference"] if len(partners) else heads["seed"]
    renamed = heads.join(partners, on=["seed", "layer", "head"], how="left", maintain_order="left")
    own = pl.when(pl.col("seed") == first[0]).then(pl.col("head")).otherwise(pl.col("name"))
    renamed = renamed.with_columns(head=own).filter(pl.col("head").is_not_null())
    return pl.concat([interventions.filter(~single), renamed.select(interventions.columns)])
