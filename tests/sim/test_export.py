"""Exported fields: both formats hold what the frame holds."""

import base64
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from sim import Simulation, export
from sim.frame import Frame
from tests.scenes import pressure_solver


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    made = Simulation("three-liquids", (16, 24), solve=pressure_solver())
    made.step(1 / 60)
    return made


@pytest.fixture(scope="module")
def frame(simulation: Simulation) -> Frame:
    return simulation.frame()


def test_npz_holds_every_field_bit_for_bit(simulation: Simulation, frame: Frame, tmp_path: Path) -> None:
    export.write(tmp_path / "f.npz", frame, simulation.scene)
    with np.load(tmp_path / "f.npz", allow_pickle=False) as found:
        for name in ("fractions", "density", "pressure", "u", "v", "solid"):
            assert np.array_equal(found[name], getattr(frame, name))
        assert found["phases"].tolist() == [phase.name for phase in simulation.scene.phases]
        assert float(found["dx"]) == simulation.grid.dx
        assert float(found["time"]) == frame.time


def test_vti_is_image_data_with_the_same_values(simulation: Simulation, frame: Frame, tmp_path: Path) -> None:
    export.write(tmp_path / "f.vti", frame, simulation.scene)
    root = ElementTree.parse(tmp_path / "f.vti").getroot()
    image = root.find("ImageData")
    assert image is not None
    assert image.get("WholeExtent") == "0 24 0 16 0 0"
    assert float((image.get("Spacing") or "").split()[0]) == simulation.grid.dx
    found = {}
    for array in image.iter("DataArray"):
        if array.get("format") == "binary":
            data = base64.b64decode(array.text or "")
            kind = "<f8" if array.get("type") == "Float64" else "<u1"
            assert np.frombuffer(data[:8], "<u8")[0] == len(data) - 8
            found[array.get("Name")] = np.frombuffer(data[8:], kind).reshape(16, 24, -1).squeeze()
    assert np.array_equal(found["density"], frame.density)
    assert np.array_equal(found["pressure"], frame.pressure)
    assert np.array_equal(found["solid"], frame.solid)
    for phase, fraction in zip(simulation.scene.phases, frame.fractions):
        assert np.array_equal(found[f"fraction of {phase.name}"], fraction)
    assert np.array_equal(found["velocity"][..., 1], (frame.v[:-1] + frame.v[1:]) / 2)


def test_a_failed_export_leaves_the_file_before(
    simulation: Simulation, frame: Frame, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "f.vti"
    export.write(path, frame, simulation.scene)
    before = path.read_bytes()

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "image_data", full)
    with pytest.raises(OSError, match="No space"):
        export.write(path, frame, simulation.scene)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match=r"must end in \.npz or \.vti"):
        export.write(tmp_path / "f.vtk", frame, simulation.scene)
