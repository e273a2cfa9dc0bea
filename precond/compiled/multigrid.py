"""Compiled geometric multigrid: red-black smoothing on packed colours, in single precision where that is enough.

A five-point cell of one colour has neighbours of the other only. Each colour lies in an array of its own, half as wide,
so that a half sweep is a loop over contiguous memory. A cell (j, i) is red where j + i is even; both colours keep it in
column i // 2, so the cell to the west or east is in the same column or the one beside it, by the parity of the row.
"""

from __future__ import annotations

import numpy as np
import torch

from ..classical.multigrid import COARSEST, SHIFT, SWEEPS, padded_shapes
from ..preconditioner import CompiledForm, Preconditioner
from ..support.units import power_of_two_over
from ..system import PoissonSystem
from .dense import U, invert
from .jit import kernel
from .loop import advance, coefficients

# columns of the table of levels
NY, NX, HALF, STRIDE, START, FACES, FY, FX, CELLS = range(9)
# rows of the stack of packed numbers, of red cells; those of black ones follow
GIVEN, DIAGONAL, INVERSE, WEST, EAST, SOUTH, NORTH, X = range(8)
COLOUR = 8
INFINITE = int(np.float64(np.inf).view(np.int64))
SINGLE = 1e3  # largest over smallest coefficient; at 2,000 single precision takes 44 iterations for 38, to 1e-8


# Set-up -------------------------------------------------------------------------------------------------------------


@kernel
def extremes(beta_x, beta_y, reaction):
    """Smallest coefficient above 0, and the largest."""
    smallest, largest = INFINITE, np.int64(0)
    for faces in (beta_x.reshape(-1), beta_y.reshape(-1), reaction.reshape(-1)):
        bits = faces.view(np.int64)  # of numbers of one sign they have the same order, and vector units compare them
        for k in range(bits.size):
            value = bits[k]
            largest = max(largest, value)
            smallest = min(smallest, value if value > 0 else INFINITE)
    ends = np.array([smallest, largest]).view(np.float64)
    return ends[0], ends[1]


@kernel
def load_finest(beta_x, beta_y, reaction, ny, nx, scale, faces_x, faces_y, out_of):
    """The system's faces, and reaction, into the upper left of the padded level.

    Padding lies under row 0 and right of the grid.
    """
    rows, columns = beta_x.shape[0], beta_y.shape[1]
    low = ny - rows
    for j in range(rows):
        row, out = beta_x[j], faces_x[(low + j) * (nx + 1) :]
        for i in range(U(columns + 1)):
            out[i] = scale * row[i]
        row, out = reaction[j], out_of[(low + j) * nx :]
        for i in range(U(columns)):
            out[i] = scale * row[i]
    for j in range(rows + 1):
        row, out = beta_y[j], faces_y[(low + j) * nx :]
        for i in range(U(columns)):
            out[i] = scale * row[i]


@kernel
def coarsen_faces(fine_x, fine_y, ny, nx, fy, fx, coarse_x, coarse_y):
    """Coarse faces: sums of the fine ones on them, halved across coarsened directions. fy, fx: 1 or 2."""
    rows, columns = ny // fy, nx // fx
    two = U(2)
    for j in range(rows):
        row, out = fine_x[fy * j * (nx + 1) :], coarse_x[j * (columns + 1) :]
        above = fine_x[(fy * j + fy - 1) * (nx + 1) :]
        share = 0.5 * fy / fx  # of each of the two rows, which are one and the same where rows stay
        if fx == 2:
            for i in range(U(columns + 1)):
                out[i] = share * (row[two * i] + above[two * i])
        else:
            for i in range(U(columns + 1)):
                out[i] = share * (row[i] + above[i])
    for j in range(rows + 1):
        row, out = fine_y[fy * j * nx :], coarse_y[j * columns :]
        share = 1.0 / fy
        if fx == 2:
            for i in range(U(columns)):
                out[i] = share * (row[two * i] + row[two * i + U(1)])
        else:
            for i in range(U(columns)):
                out[i] = share * row[i]


@kernel
def coarsen_reaction(fine, ny, nx, fy, fx, coarse):
    """Sums over aggregates."""
    rows, columns = ny // fy, nx // fx
    for j in range(rows):
        out = coarse[j * columns : (j + 1) * columns]
        for i in range(columns):
            out[i] = 0.0
        for y in range(fy):
            row = fine[(fy * j + y) * nx :]
            for x in range(fx):
                for i in range(columns):
                    out[i] += row[fx * i + x]


@kernel
def pack_level(faces_x, faces_y, reaction, ny, nx, stride, start, stack):
    """Diagonal, its inverse, and the couplings over the diagonal of both colours."""
    for j in range(ny):
        x, y, above = faces_x[j * (nx + 1) :], faces_y[j * nx :], faces_y[(j + 1) * nx :]
        own = reaction[j * nx :]
        for colour in range(2):
            first, c, a = (j + colour) % 2, COLOUR * colour, start + (j + 1) * stride + 1
            count = (nx - first + 1) // 2
            diagonal, inverses = stack[c + DIAGONAL, a : a + count], stack[c + INVERSE, a : a + count]
            west, east = stack[c + WEST, a : a + count], stack[c + EAST, a : a + count]
            south, north = stack[c + SOUTH, a : a + count], stack[c + NORTH, a : a + count]
            for m in range(U(count)):
                i = U(first) + U(2) * m
                w, e, s, n = x[i], x[i + U(1)], y[i], above[i]
                d = w + e + s + n + own[i]
                inverse = 1.0 / d if d > 0.0 else 0.0
                diagonal[m], inverses[m] = d, inverse
                west[m], east[m] = w * inverse, e * inverse
                south[m], north[m] = s * inverse, n * inverse


@kernel
def largest_of_regions(faces_x, faces_y, reaction, ny, nx, diagonal):
    """(n,) bool: of every closed region the cell with the largest diagonal."""
    n = ny * nx
    label, first, step = np.arange(n), np.zeros(n, np.bool_), 1
    changed = True
    while changed:  # to and fro, until every cell has the smallest number of its region
        changed = False
        for at in range(n):
            k = at if step == 1 else n - 1 - at
            j, i = k // nx, k % nx
            least = label[k]
            if i > 0 and faces_x[j * (nx + 1) + i] > 0.0:
                least = min(least, label[k - 1])
            if i < nx - 1 and faces_x[j * (nx + 1) + i + 1] > 0.0:
                least = min(least, label[k + 1])
            if j > 0 and faces_y[k] > 0.0:
                least = min(least, label[k - nx])
            if j < ny - 1 and faces_y[k + nx] > 0.0:
                least = min(least, label[k + nx])
            if least < label[k]:
                label[k] = least
                changed = True
        step = -step
    best = np.full(n, -1)
    for k in range(n):
        if best[label[k]] < 0 or diagonal[k] > diagonal[best[label[k]]]:
            best[label[k]] = k
    for k in range(n):
        first[k] = best[label[k]] == k
    for k in range(n):
        if reaction[k] > 0.0:
            first[best[label[k]]] = False
    for i in range(nx):  # an open top
        if faces_y[ny * nx + i] > 0.0:
            first[best[label[n - nx + i]]] = False
    return first


@kernel
def dense_inverse(faces_x, faces_y, reaction, ny, nx, matrix, rows, out):
    """(A + shift D)^-1 in float64; rows without any open face count as identity.

    In every closed region one cell is tied down, which only changes what constant is added there, and that is projected
    away. Left at 1 / shift the constant would be large enough for its rounding to spoil everything else.
    matrix (wide, wide), wide a multiple of 4 that is at least ny nx, and rows (4 wide,): scratch.
    """
    n = ny * nx
    matrix[:] = 0.0
    for k in range(n, matrix.shape[0]):
        matrix[k, k] = 1.0
    diagonal = rows[:n]
    for j in range(ny):
        for i in range(nx):
            k = j * nx + i
            w, e = faces_x[j * (nx + 1) + i], faces_x[j * (nx + 1) + i + 1]
            s, t = faces_y[j * nx + i], faces_y[(j + 1) * nx + i]
            d = w + e + s + t + reaction[k]
            diagonal[k] = d
            matrix[k, k] = (1.0 + SHIFT) * d if d > 0.0 else 1.0
            if i > 0:
                matrix[k, k - 1] = matrix[k - 1, k] = -w
            if j > 0:
                matrix[k, k - nx] = matrix[k - nx, k] = -s
    tied = largest_of_regions(faces_x, faces_y, reaction, ny, nx, diagonal)
    for k in range(n):
        if tied[k]:
            matrix[k, k] += diagonal[k]
    invert(matrix.reshape(-1), matrix.shape[0], rows)
    for i in range(n):
        for k in range(i + 1):
            out[i, k] = out[k, i] = 0.5 * (matrix[i, k] + matrix[k, i])


@kernel
def build(beta_x, beta_y, reaction, scale, levels, faces_x, faces_y, out_of, stack, matrix, rows, top):
    """All levels from the finest faces."""
    last = levels.shape[0] - 1
    for k in range(last + 1):
        ny, nx, f, c = levels[k, NY], levels[k, NX], levels[k, FACES], levels[k, CELLS]
        if k == 0:
            load_finest(beta_x, beta_y, reaction, ny, nx, scale, faces_x, faces_y, out_of)
        if k < last:
            pack_level(faces_x[f:], faces_y[f:], out_of[c:], ny, nx, levels[k, STRIDE], levels[k, START], stack)
            g = levels[k + 1, FACES]
            fy, fx = levels[k, FY], levels[k, FX]
            coarsen_faces(faces_x[f:], faces_y[f:], ny, nx, fy, fx, faces_x[g:], faces_y[g:])
            coarsen_reaction(out_of[c:], ny, nx, fy, fx, out_of[levels[k + 1, CELLS] :])
        else:
            dense_inverse(faces_x[f:], faces_y[f:], out_of[c:], ny, nx, matrix, rows, top)


# Cycle --------------------------------------------------------------------------------------------------------------


@kernel
def half_sweep(stack, own, other, start, ny, half, stride):
    """Every cell of a colour takes the value that solves its equation. own, other: 0 or COLOUR, red and black."""
    given, x, y = stack[own + GIVEN], stack[own + X], stack[other + X]
    west, east, south, north = stack[own + WEST], stack[own + EAST], stack[own + SOUTH], stack[own + NORTH]
    parity = 1 if own == COLOUR else 0  # of the columns of this colour in even rows
    for j in range(ny):
        a = start + (j + 1) * stride + 1
        side = a - 1 + (j + parity) % 2
        g, w, e = given[a : a + half], west[a : a + half], east[a : a + half]
        s, n, out = south[a : a + half], north[a : a + half], x[a : a + half]
        left, right = y[side : side + half], y[side + 1 : side + 1 + half]
        below, above = y[a - stride : a - stride + half], y[a + stride : a + stride + half]
        for m in range(half):
            out[m] = g[m] + w[m] * left[m] + e[m] * right[m] + s[m] * below[m] + n[m] * above[m]


@kernel
def restrict_red(stack, start, ny, half, stride, fy, coarse):
    """coarse (ny / fy, half) = sums of the residual over aggregates; after a sweep over black it is red's alone."""
    given, diagonal, west, east = stack[GIVEN], stack[DIAGONAL], stack[WEST], stack[EAST]
    south, north, x, y = stack[SOUTH], stack[NORTH], stack[X], stack[COLOUR + X]
    for j in range(ny):
        a = start + (j + 1) * stride + 1
        side = a - 1 + j % 2
        g, d, w, e = given[a : a + half], diagonal[a : a + half], west[a : a + half], east[a : a + half]
        s, n, own = south[a : a + half], north[a : a + half], x[a : a + half]
        left, right = y[side : side + half], y[side + 1 : side + 1 + half]
        below, above = y[a - stride : a - stride + half], y[a + stride : a + stride + half]
        out = coarse[(j // fy) * half : (j // fy + 1) * half]
        if j % fy == 0:
            for m in range(half):
                out[m] = 0.0
        for m in range(half):
            value = g[m] - own[m] + w[m] * left[m] + e[m] * right[m] + s[m] * below[m] + n[m] * above[m]
            out[m] += d[m] * value


@kernel
def give(stack, start, b, ny, nx, half, stride):
    """D^-1 b for both colours, which is also what the half sweep over red from zero comes to."""
    whole = nx // 2  # of both colours in a row; a single column has one
    for j in range(ny):
        a = start + (j + 1) * stride + 1
        first, second = (0, COLOUR) if j % 2 == 0 else (COLOUR, 0)
        row = b[j * nx : (j + 1) * nx]
        one, scale_one = stack[first + GIVEN][a : a + half], stack[first + INVERSE][a : a + half]
        two, scale_two = stack[second + GIVEN][a : a + half], stack[second + INVERSE][a : a + half]
        for m in range(whole):
            one[m] = scale_one[m] * row[2 * m]
            two[m] = scale_two[m] * row[2 * m + 1]
        if nx == 1:
            one[0] = scale_one[0] * row[0]
        x, given = stack[X][a : a + half], stack[GIVEN][a : a + half]
        for m in range(half):
            x[m] = given[m]


@kernel
def correct_red(stack, start, e, ny, half, stride, fy):
    """x += P e on red cells; the half sweep over black that follows forgets black's values anyway."""
    x = stack[X]
    for j in range(ny):
        a = start + (j + 1) * stride + 1
        out, row = x[a : a + half], e[(j // fy) * half : (j // fy + 1) * half]
        for m in range(half):
            out[m] += row[m]


@kernel
def unpack(stack, start, ny, nx, half, stride, out):
    """out (ny, nx) = x of both colours."""
    whole = nx // 2
    for j in range(ny):
        a = start + (j + 1) * stride + 1
        first, second = (0, COLOUR) if j % 2 == 0 else (COLOUR, 0)
        row = out[j * nx : (j + 1) * nx]
        one, two = stack[first + X][a : a + half], stack[second + X][a : a + half]
        for m in range(whole):
            row[2 * m] = one[m]
            row[2 * m + 1] = two[m]
        if nx == 1:
            row[0] = one[0]


@kernel
def cycle(levels, stack, top, fields, given, out):
    """out = the V-cycle of `given` on the finest level, whose vectors they are; `fields` holds the coarser levels'."""
    last = levels.shape[0] - 1
    for k in range(last):
        ny, nx, half, stride = levels[k, NY], levels[k, NX], levels[k, HALF], levels[k, STRIDE]
        start, f, g = levels[k, START], levels[k, FACES], levels[k + 1, FACES]
        if k == 0:
            give(stack, start, given, ny, nx, half, stride)
        else:
            give(stack, start, fields[f : f + ny * nx], ny, nx, half, stride)
        half_sweep(stack, COLOUR, 0, start, ny, half, stride)
        for _ in range(SWEEPS - 1):
            half_sweep(stack, 0, COLOUR, start, ny, half, stride)
            half_sweep(stack, COLOUR, 0, start, ny, half, stride)
        restrict_red(stack, start, ny, half, stride, levels[k, FY], fields[g : g + levels[k + 1, NY] * half])
    f, n = levels[last, FACES], top.shape[0]
    b, x = fields[f : f + n], fields[f + n : f + 2 * n]
    for k in range(n):
        row, total = top[k], 0.0
        for m in range(n):
            total += row[m] * b[m]
        x[k] = total
    b[:] = x
    for k in range(last - 1, -1, -1):
        ny, nx, half, stride = levels[k, NY], levels[k, NX], levels[k, HALF], levels[k, STRIDE]
        start, f, g = levels[k, START], levels[k, FACES], levels[k + 1, FACES]
        correct_red(stack, start, fields[g : g + levels[k + 1, NY] * half], ny, half, stride, levels[k, FY])
        for _ in range(SWEEPS):
            half_sweep(stack, COLOUR, 0, start, ny, half, stride)
            half_sweep(stack, 0, COLOUR, start, ny, half, stride)
        if k == 0:
            unpack(stack, start, ny, nx, half, stride, out)
        else:
            unpack(stack, start, ny, nx, half, stride, fields[f : f + ny * nx])


@kernel
def multigrid_product(r, data, z):
    """z = M r for flat float64 vectors (N,)."""
    levels, stack, top, fields, columns = data
    n, last = r.size, levels.shape[0] - 1
    rows, ny, nx = n // columns, levels[0, NY], levels[0, NX]
    low = ny - rows
    finest = fields[: ny * nx]
    if last > 0 and low == 0 and columns == nx:
        cycle(levels, stack, top, fields, r, z)
        return
    for k in range(low * nx):
        fields[k] = 0.0
    for j in range(rows):
        row, values = fields[(low + j) * nx : (low + j + 1) * nx], r[j * columns : (j + 1) * columns]
        for i in range(columns):
            row[i] = values[i]
        for i in range(columns, nx):
            row[i] = 0.0
    result = fields[fields.size - ny * nx :] if last > 0 else finest
    cycle(levels, stack, top, fields, finest, result)
    for j in range(rows):
        row, values = result[(low + j) * nx : (low + j + 1) * nx], z[j * columns : (j + 1) * columns]
        for i in range(columns):
            values[i] = row[i]


@kernel
def iterate_multigrid(loop, data, count):
    """Iterations with the V-cycle."""
    for _ in range(count):
        multigrid_product(loop.r, data, loop.z)
        if not advance(loop):
            break


class Multigrid(Preconditioner):
    """See classical/multigrid.py. A's coefficients are coarsened in float64; the cycle is float32 up to SINGLE.

    Float32 takes three quarters of the time; at a contrast of 10^6 its rounding made M indefinite.
    """

    def __init__(self) -> None:
        self.levels = np.zeros((0, 8), np.int64)
        self.stack = np.zeros((0, 0))

    def setup(self, system: PoissonSystem) -> None:
        """Coarsen the coefficients and invert the coarsest operator."""
        if not len(self.levels):
            self._allocate(*system.shape)
        given = coefficients(system)
        smallest, largest = extremes(*given)
        scale = power_of_two_over(largest)
        self._work_in(np.float32 if largest <= SINGLE * smallest else np.float64)
        build(*given, scale, self.levels, self.faces_x, self.faces_y, self.reaction, self.stack, *self.top)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        largest = float(r.abs().max())  # of any unit, where those in the loop are near 1
        scale = power_of_two_over(largest)
        multigrid_product((scale * r).reshape(-1).numpy(), self.data, out.view(-1).numpy())
        out.div_(scale)

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_multigrid, self.data)

    def _allocate(self, ny: int, nx: int) -> None:
        shapes = padded_shapes(ny, nx, COARSEST)
        self.levels = np.zeros((len(shapes), 9), np.int64)
        start = faces = cells = 0
        for k, (rows, columns) in enumerate(shapes):
            half = (columns + 1) // 2
            coarse = shapes[min(k + 1, len(shapes) - 1)]
            self.levels[k] = rows, columns, half, half + 2, start, faces, rows // coarse[0], columns // coarse[1], cells
            cells += rows * columns
            start += (rows + 2) * (half + 2)
            faces += (rows + 1) * (columns + 1) + rows * columns
        self.faces_x, self.faces_y, self.reaction = np.zeros(faces), np.zeros(faces), np.zeros(cells)
        n = shapes[-1][0] * shapes[-1][1]
        wide = -(-n // 4) * 4
        # float64: a closed box's inverse has a large constant, in which float32 would lose all else
        self.top = np.zeros((wide, wide)), np.zeros(4 * wide), np.zeros((n, n))
        self._sizes = start, faces, nx

    def _work_in(self, precision: type) -> None:
        """Buffers of this precision, kept as long as it is wanted."""
        if self.stack.dtype == precision and self.stack.size:
            return
        start, faces, nx = self._sizes
        fields = np.zeros(
            faces + self.levels[0, NY] * self.levels[0, NX], precision
        )  # the last of them for a padded grid
        self.stack = np.zeros((2 * COLOUR, start), precision)
        self.data = (self.levels, self.stack, self.top[-1], fields, nx)
