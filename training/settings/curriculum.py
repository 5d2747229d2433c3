"""The weights of both losses over the run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curriculum:
    """How the weight moves from the token loss (alpha) to the structural loss (beta)."""

    schedule: str = "linear"
    """`linear`, `cosine` and `steps` lower alpha from 1 to `alpha_end` with beta = 1 - alpha;
    `fixed` has the final weights at once; `alpha-constant` keeps alpha at 1 and raises beta.
    `assistant train RECIPE --plot-curriculum FILE.svg` draws it."""
    warmup: float = 0.1
    """Share of the steps, the first ones, with the token loss alone."""
    alpha_end: float = 0.5
    """Weight of the token loss at the end; beta ends at 1 minus it."""
    beta_scale: str = "auto"
    """`raw` leaves L_s as it is; `auto` scales it so that its gradient at the last hidden state is
    `beta_ratio` of the token loss's."""
    beta_ratio: float = 0.1
    """See `beta_scale`."""
    measure_every: int = 20
    """Steps between two settings of that scale. The gradient norms are logged at every step."""
