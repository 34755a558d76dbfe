"""Two tables of losses of the same seeds and units, for property tests."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

once = settings(deadline=None, derandomize=True, max_examples=60)
losses = st.tuples(st.integers(2, 5), st.integers(2, 6)).flatmap(
    lambda shape: st.tuples(*[arrays(float, shape, elements=st.floats(1e-3, 1e3))] * 2)
)
