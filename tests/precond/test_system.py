"""Laws of the operator: symmetry, assembly, regions, projection, refusals."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from precond import PoissonSystem
from tests.precond import reference


@pytest.mark.parametrize("maze", ["serpentine", "upright serpentine", "spiral", "noise", "islands"])
def test_regions_of_mazes(maze):
    n = 129
    solid = np.zeros((n, n), dtype=bool)
    if "serpentine" in maze:
        solid[1::4, :-1] = True
        solid[3::4, 1:] = True
        solid = solid.T if "upright" in maze else solid
    elif maze == "spiral":
        for k in range(1, n // 2, 2):  # nested closed rings with one door each
            solid[k, k : n - k] = solid[n - 1 - k, k : n - k] = solid[k : n - k, k] = solid[k : n - k, n - 1 - k] = True
            solid[k, k + 1] = k + 1 == n // 2
    else:
        density = 0.41 if maze == "noise" else 0.8
        solid = np.random.default_rng(0).uniform(size=(n, n)) < density
    system = PoissonSystem.from_density(np.ones((n, n)), solid=solid)
    labels = system.regions.numpy()
    assert reference.same_partition(labels, reference.regions(system))
    b = np.random.default_rng(1).standard_normal((n, n))
    np.testing.assert_allclose(system.project(b).numpy(), reference.project(system, b), atol=1e-12)


def test_faces_of_zero_part_regions_without_any_solid():
    beta_x, beta_y = np.ones((4, 7)), np.ones((5, 6))
    beta_x[:, [0, 3, -1]] = 0
    beta_y[[0, -1]] = 0
    system = PoissonSystem.from_faces(beta_x, beta_y)
    assert system.regions.tolist() == [[0, 0, 0, 1, 1, 1]] * 4
    assert connected_components(system.to_scipy())[0] == 2


def test_regions_follow_coefficients_rewritten_in_place():
    system = PoissonSystem.empty(3, 4)
    assert system.regions.unique().numel() == 12
    assert system.singular
    system.beta_x[:, 1:-1] = 1.0
    assert system.regions.tolist() == [[0] * 4, [1] * 4, [2] * 4]
    before = system.topology
    system.beta_x[:, 1:-1] = 7.0
    assert system.topology is before  # the pattern of open faces is the same
    system.beta_y[1:-1] = 1.0
    assert system.regions.unique().tolist() == [0]
    opened = PoissonSystem.empty(3, 4, open_top=True)
    opened.beta_y[1:] = 1.0
    assert not opened.singular


def test_an_open_top_holds_pressure_zero_on_the_face():
    """A column at rest: beta (p_j - p_j+1) = g/dx between cells, so p is linear and 0 on the top face."""
    ny, g = 8, 9.81
    system = PoissonSystem.from_density(np.full((ny, 1), 3.0), dx=0.5, open_top=True)
    depth = 0.5 * (ny - np.arange(ny) - 0.5)
    p = torch.tensor(3.0 * g * depth)[:, None]
    outflow = system.apply(p)
    expected = torch.zeros(ny, 1, dtype=torch.float64)
    expected[0] = g / 0.5  # only the bottom cell has a wall that carries no flux
    torch.testing.assert_close(outflow, expected, atol=1e-12, rtol=0)


def test_solids_may_hold_anything():
    rho, solid = np.ones((3, 3)), np.zeros((3, 3), dtype=bool)
    solid[1, 1], rho[1, 1] = True, np.nan
    system = PoissonSystem.from_density(rho, solid=solid)
    p = np.ones((3, 3))
    p[1, 1] = np.nan
    Ap = system.apply(p)
    assert torch.isnan(Ap[1, 1])
    assert Ap.nan_to_num().abs().max() == 0
    assert torch.isfinite(system.project(p)).all()
    same = PoissonSystem.from_faces(system.beta_x, system.beta_y, solid=solid)
    assert torch.equal(same.beta_x, system.beta_x)
    assert same.beta_x.data_ptr() != system.beta_x.data_ptr()


ones = np.ones((3, 4))
wall = np.zeros((3, 5))
wall[0, 0] = 2.5
top = np.zeros((4, 4))
top[-1] = 2.5
negative = np.zeros((3, 5))
negative[1, 1] = -2.5


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda: PoissonSystem.from_density([[1.0]]), TypeError, "list"),
        (lambda: PoissonSystem.from_density("water"), TypeError, "str"),
        (lambda: PoissonSystem.from_density(ones > 0), TypeError, "bool"),
        (lambda: PoissonSystem.from_density(ones * 1j), TypeError, "complex"),
        (lambda: PoissonSystem.from_density(ones.astype(object)), TypeError, "object"),
        (lambda: PoissonSystem.from_density(np.ma.masked_less(ones, 2)), TypeError, r"masked.*rho\.filled"),
        (lambda: PoissonSystem.from_density(ones, solid=np.ma.array(ones > 0)), TypeError, r"solid\.filled"),
        (lambda: PoissonSystem.from_density(np.ones(3)), ValueError, r"\(3,\)"),
        (lambda: PoissonSystem.from_density(np.ones((0, 3))), ValueError, r"\(0, 3\)"),
        (lambda: PoissonSystem.from_density(-2.5 * ones), ValueError, "-2.5"),
        (lambda: PoissonSystem.from_density(0 * ones), ValueError, "0.0"),
        (lambda: PoissonSystem.from_density(np.nan * ones), ValueError, "nan"),
        (lambda: PoissonSystem.from_density(np.inf * ones), ValueError, "inf"),
        (lambda: PoissonSystem.from_density(ones, dx=0), ValueError, "dx is 0"),
        (lambda: PoissonSystem.from_density(ones, dt=-0.1), ValueError, "dt is -0.1"),
        (lambda: PoissonSystem.from_density(ones, dt=float("nan")), ValueError, "nan"),
        (lambda: PoissonSystem.from_density(ones, dx="1"), TypeError, "'1'"),
        (lambda: PoissonSystem.from_density(1e-300 * ones, dx=1e-9), ValueError, "1e-09"),
        (lambda: PoissonSystem.from_density(ones, dx=1e-200), ValueError, "1e-200"),
        (lambda: PoissonSystem.from_density(ones, dx=1e200), ValueError, "1e\\+200"),
        (lambda: PoissonSystem.from_density(ones, dt=10**400), ValueError, "beyond float64"),
        (lambda: PoissonSystem.from_density(ones, dt=1e-300), ValueError, "1e-300"),
        (lambda: PoissonSystem.from_density(1.5e308 * ones), ValueError, "range of float64"),
        (lambda: PoissonSystem.from_density(torch.eye(3).to_sparse()), TypeError, "sparse"),
        (lambda: PoissonSystem.from_density(ones, open_top=1), TypeError, "open_top is 1"),
        (lambda: PoissonSystem.from_density(ones, face="geometric"), ValueError, "geometric"),
        (lambda: PoissonSystem.from_density(ones, face=2), TypeError, "2"),
        (lambda: PoissonSystem.from_density(ones, solid=ones), TypeError, "float64"),
        (lambda: PoissonSystem.from_density(ones, solid=ones.T > 0), ValueError, r"\(4, 3\)"),
        (lambda: PoissonSystem.from_faces(np.zeros((3, 4)), np.zeros((4, 4))), ValueError, r"\(3, 4\)"),
        (lambda: PoissonSystem.from_faces(np.zeros((3, 5)), None), TypeError, "NoneType"),
        (lambda: PoissonSystem.from_faces(wall, np.zeros((4, 4))), ValueError, "2.5"),
        (lambda: PoissonSystem.from_faces(np.zeros((3, 5)), top), ValueError, "open_top=True"),
        (lambda: PoissonSystem.from_faces(negative, np.zeros((4, 4))), ValueError, "-2.5"),
        (lambda: PoissonSystem.from_faces(np.where(negative < 0, np.inf, 0), np.zeros((4, 4))), ValueError, "inf"),
        (lambda: PoissonSystem.empty(0, 3), ValueError, "ny is 0"),
        (lambda: PoissonSystem.empty(3, 3.0), TypeError, "3.0"),
        (lambda: PoissonSystem.from_density(ones).apply(np.ones((4, 3))), ValueError, r"\(4, 3\)"),
        (lambda: PoissonSystem.from_density(ones).project(None), TypeError, "NoneType"),
    ],
)
def test_misuse_is_refused_with_the_offending_value(build, error, says):
    with pytest.raises(error, match=says) as caught:
        build()
    assert "\n" not in str(caught.value)
