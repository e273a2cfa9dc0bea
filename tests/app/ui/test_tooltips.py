"""Every number and every key of the window is explained."""

from pathlib import Path

import pytest

from sim.frame import STAGES

ROOT = Path(__file__).resolve().parents[3]


def test_every_number_and_key_is_explained():
    pytest.importorskip("imgui_bundle")
    from app.render.views import VIEWS
    from app.ui import tooltips
    from app.ui.ui_state import KEYS, MOUSE

    texts = [*tooltips.NUMBERS.values(), *tooltips.STAGES.values(), tooltips.MAPS_ARE_SAFE]
    assert set(tooltips.STAGES) == set(STAGES)
    assert all(text.endswith(".") and len(text) < 260 for text in texts)
    assert f"1 - {len(VIEWS)}" in dict(KEYS)
    source = (ROOT / "app" / "window" / "shortcuts.py").read_text()
    for key, name in {
        "Space": "space",
        "R": "r",
        "H": "h",
        "M": "m",
        "F9": "f9",
        "F12": "f12",
        "Esc": "escape",
    }.items():
        assert key in dict(KEYS)
        assert f"imgui.Key.{name}" in source
    assert {"Push", "Pour", "Move"} <= {word for name, _ in MOUSE for word in name.split(", ")}
