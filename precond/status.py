"""How a solve ended, each outcome with advice."""

from enum import Enum


class Status(Enum):
    """Why PCG stopped. The value is a sentence that says what it means and what to try."""

    CONVERGED = "Converged: the true residual, recomputed in float64, is within the tolerance."
    ITERATION_LIMIT = "Iteration limit: try a larger max_iterations, a looser rtol or a stronger preconditioner."
    INDEFINITE = "Indefinite: p.Ap or r.Mr was not positive; check that A and M are symmetric positive definite."
    NOT_FINITE = "Not finite: NaN or infinity turned up; check b, the face coefficients and the output of M."
    STAGNATED = (
        "Stagnated: iterating on cannot help. Either the tolerance is so small that rounding decides whether it is met "
        "(try a larger rtol), or the preconditioner has nothing left to add (try another one)."
    )
