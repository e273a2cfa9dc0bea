"""The fields of a frame as files for other programs: NumPy's npz, and VTK image data for ParaView."""

from __future__ import annotations

import base64
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from precond.support.files import replacing
from sim.frame import Frame
from sim.scenes.scene import Scene

SUFFIXES = (".npz", ".vti")


def write(path: Path, frame: Frame, scene: Scene) -> None:
    """Write the frame's fields, whole or not at all: .npz or .vti by the ending. Raises ValueError and OSError."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path.name!r} must end in {' or '.join(SUFFIXES)}")
    with replacing(path) as part:
        if path.suffix == ".npz":
            with part.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays(frame, scene))
        else:
            part.write_text(image_data(frame, scene), encoding="utf-8")


def arrays(frame: Frame, scene: Scene) -> dict[str, np.ndarray]:
    """Every field in SI units: velocities on their faces as the simulation has them, row 0 at the bottom."""
    return {
        "time": np.array(frame.time),
        "dx": np.array(scene.height / frame.density.shape[0]),
        "phases": np.array([phase.name for phase in scene.phases]),
        "fractions": frame.fractions,
        "density": frame.density,
        "pressure": frame.pressure,
        "u": frame.u,
        "v": frame.v,
        "solid": frame.solid,
    }


def image_data(frame: Frame, scene: Scene) -> str:
    """VTK XML image data in one piece, values of cells in base64; velocities are means of the faces' [m/s]."""
    ny, nx = frame.density.shape
    dx = scene.height / ny
    mean = (frame.u[:, :-1] + frame.u[:, 1:]) / 2, (frame.v[:-1] + frame.v[1:]) / 2
    velocity = np.stack((*mean, np.zeros((ny, nx))), axis=-1)
    fields = {f"fraction of {phase.name}": part for phase, part in zip(scene.phases, frame.fractions)}
    fields |= {"density": frame.density, "pressure": frame.pressure, "velocity": velocity}
    lines = [data_array(name, values) for name, values in fields.items()]
    lines.append(data_array("solid", frame.solid.astype(np.uint8)))
    extent = f"0 {nx} 0 {ny} 0 0"
    return "\n".join(
        [
            '<?xml version="1.0"?>',
            '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
            f'<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{dx!r} {dx!r} {dx!r}">',
            '<FieldData><DataArray type="Float64" Name="TimeValue" NumberOfTuples="1" format="ascii">'
            f"{frame.time!r}</DataArray></FieldData>",
            f'<Piece Extent="{extent}"><CellData Scalars="density" Vectors="velocity">',
            *lines,
            "</CellData></Piece></ImageData></VTKFile>\n",
        ]
    )


def data_array(name: str, values: np.ndarray) -> str:
    """One array of cell values, (ny, nx) or (ny, nx, components)."""
    kind = "UInt8" if values.dtype == np.uint8 else "Float64"
    data = np.ascontiguousarray(values, dtype="<u1" if kind == "UInt8" else "<f8").tobytes()
    text = base64.b64encode(np.array(len(data), dtype="<u8").tobytes() + data).decode("ascii")
    components = values.shape[2] if values.ndim == 3 else 1
    return (
        f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}" '
        f'format="binary">{text}</DataArray>'
    )
