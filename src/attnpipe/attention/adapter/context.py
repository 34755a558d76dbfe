"""The context in which a transformers model's attention can be observed and overridden."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from attnpipe.attention.adapter.capture import attend_scores
from attnpipe.attention.adapter.describe import by_start, describe
from attnpipe.attention.adapter.frames import Frames
from attnpipe.attention.adapter.interface import is_active, own_output, switched
from attnpipe.attention.adapter.probe import Probed, probe
from attnpipe.attention.adapter.scores import Pattern
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.attend import pass_output
from attnpipe.attention.hooks import Output, current_hooks
from attnpipe.core.errors import UserError


def sites(model: nn.Module, inputs: Mapping[str, Any] | None = None) -> tuple[Site, ...]:
    """Return a model's attention sites in the order of execution.

    Parameters
    ----------
    model
        Any whose attention goes through `transformers.AttentionInterface`.
    inputs
        Arguments of one small forward pass that reaches all of the model; None: four tokens
        (and three for a decoder), or one image.

    Raises
    ------
    UserError
        The model computes attention by itself, or `inputs` are needed.
    """
    return probe(model, inputs).sites


@contextmanager
def adapted(
    model: nn.Module,
    *,
    inputs: Mapping[str, Any] | None = None,
    expected: Mapping[int, Pattern] | None = None,
    query_block: int | None = None,
) -> Iterator[tuple[Site, ...]]:
    """Let `observing`, `overriding` and `on_samples` act on a transformers model inside.

    ::

        with adapted(model) as sites, observing(LayerFolds(lambda layer: Battery(options))):
            model(**batch)

    Observers that are shown weights in blocks leave the output what the model's own sdpa
    makes, to the bit. Where a model refuses sdpa (soft-capping), its own eager function makes
    it in blocks of 128 queries: to the bit for as many, else to rounding. Observers that make
    the output by the way (`capture.ScoresObserver`, of which
    `kernel.fused_tokens.FusedTokenBattery` and `kernel.fused.FusedBattery` do) put theirs in
    its place, the same to rounding: within 1e-5 of the largest output in float32, 4 machine
    epsilons in bfloat16 and float16 (`docs/parity.md`). They leave it to the model where they
    cannot take a layer and where a gradient is to flow. Overrides replace it.

    Weights are computed for observers and overrides only, in blocks of query rows, in
    float32 or, for float64 models, float64. `layer` is the index of the site. Positions
    count from the first token that is not padding: samples padded differently at the left
    come in blocks of their own. (Where the model is given a mask of queries × keys instead
    of one of tokens, as `generate` does for static caches, padding at the left counts.) Rows
    computed with a cache continue its positions.

    The support of a row is what the model's mask shows of what it should show: by the
    module's `is_causal` and sliding window, and by the mask of tokens that the model was
    given. Weight elsewhere is a violation (`off_support`), and so is a real query that sees
    nothing. Queries of padding tokens have no support. Masks that differ between heads have
    the union of what the heads see.

    The model is in eval mode inside. Afterwards its attention implementation, its config
    and its modes are what they were, whatever happened.

    Parameters
    ----------
    model
        Any whose attention goes through `transformers.AttentionInterface`.
    inputs
        See `sites`: the model is run once on them, unobserved, to find its sites.
    expected
        What the masks of some sites should be, by index, where the model's own declaration
        does not tell (prefix models). ``Pattern()`` takes the mask as it is.
    query_block
        Query rows per block; None: as many as keep a block's weights below 4 MB of float32.

    Yields
    ------
    tuple of Site
        The model's attention sites.

    Raises
    ------
    UserError
        The model computes attention by itself, `inputs` are needed, or the model calls its
        attention in another way than it did on them.
    """
    adapter = _Adapter(model, probe(model, inputs), dict(expected or {}), query_block)
    with (
        adapter.frames.following(model, lambda: is_active(adapter.handler)),
        switched(model, adapter.handler),
    ):
        yield adapter.sites


class _Adapter:
    """Takes the calls of one model's attention modules."""

    def __init__(
        self,
        model: nn.Module,
        probed: Probed,
        expected: Mapping[int, Pattern],
        query_block: int | None,
    ) -> None:
        self.sites = probed.sites
        self.frames = Frames()
        self.handler = self.attend  # one object, so that its identity can be compared
        self._model = type(model).__name__
        self._refuse_sdpa = probed.refuse_sdpa
        self._expected = expected
        self._query_block = query_block
        self._of_module: dict[nn.Module, list[Site]] = defaultdict(list)
        for module, site in zip(probed.modules, probed.sites, strict=True):
            self._of_module[module].append(site)
        self._calls: Counter[nn.Module] = Counter()
        self._pass = 0

    def attend(
        self,
        module: nn.Module,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        """Return the output of one call, ``[sample, query, head, dim]``."""
        site, hooks = self._site(module), current_hooks()
        if hooks.samples is not None and len(hooks.samples) != len(q):
            raise ValueError(
                f"on_samples names {len(hooks.samples)} samples, the batch has {len(q)}"
            )
        scores, starts = describe(
            module,
            q,
            k,
            v,
            mask,
            options,
            cross=site.kind == "cross",
            frame=self.frames.innermost,
            expected=self._expected.get(site.index),
            samples=torch.arange(len(q)) if hooks.samples is None else hooks.samples,
        )
        parts = []
        if hooks.observers or hooks.replacements:
            for index, part in by_start(scores, starts):
                context = attend_scores(site.index, part, hooks, self._query_block)
                parts.append((index, context))
        if parts and all(context is not None for _, context in parts):
            contexts = [context for _, context in parts if context is not None]
            whole = contexts[0]  # of all samples, if there is no other
            if len(parts) > 1:
                order = torch.argsort(torch.cat([index for index, _ in parts]))
                whole = torch.cat(contexts)[order]
            out = whole.transpose(1, 2).to(v.dtype).contiguous()
        else:
            refuses = module in self._refuse_sdpa
            out = own_output(scores, module, q, k, v, mask, refuses_sdpa=refuses, options=options)
        if hooks.outputs:
            out = out.clone()
            for index, part in by_start(scores, starts):
                rows = out[index].transpose(1, 2)
                told = Output(rows, part.real_rows(), part.query_positions, part.samples)
                out[index] = pass_output(hooks, site.index, told).transpose(1, 2)
        return out, None

    def _site(self, module: nn.Module) -> Site:
        """Return the site of this call: one module may serve several layers."""
        if self._pass != self.frames.passes:
            self._pass = self.frames.passes
            self._calls.clear()
        own, call = self._of_module.get(module, []), self._calls[module]
        if call >= len(own):
            raise UserError(
                f"{self._model} calls {type(module).__name__} more often than on the inputs that "
                "its sites were found with: pass inputs on which all of it runs"
            )
        self._calls[module] += 1
        return own[call]
