"""The settings file: it comes back, and a bad one is left out with a sentence."""

import json
import sys

import pytest

from app.__main__ import main
from app.ui import settings
from app.ui.settings import Settings


def test_settings_come_back_and_the_folder_is_made(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    assert settings.load(path) == (Settings(), "")
    wanted = Settings(width=1000, side=0.3, scale=1.25, closed=("Draw",), rows=64, tol=1e-4, mirror=True, toured=True)
    assert settings.save(path, wanted) == ""
    assert settings.load(path) == (wanted, "")
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"width": "wide"}', '{"width": 5}', '{"scale": 1e9}', '{"closed": [1]}', '{"mirror": 1}',
     '{"rows": -4}', '{"radius": NaN}', '{"tol": true}', "[" * 100000, '{"side": null}'],
)  # fmt: skip
def test_a_bad_settings_file_is_left_out_with_a_sentence(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    found, sentence = settings.load(path)
    assert found == Settings()
    assert str(path) in sentence
    assert "\n" not in sentence
    assert path.read_text() == text


def test_settings_of_other_versions_are_read_as_far_as_they_are_known(tmp_path):
    path = tmp_path / "settings.json"
    path.write_bytes(json.dumps({"radius": 0.1, "hologram": True}).encode())
    assert settings.load(path) == (Settings(radius=0.1), "")
    path.write_bytes(b"\xff\xfe\x00")
    assert settings.load(path)[1]


def test_settings_lie_where_the_system_wants_them(monkeypatch):
    for platform, variables, ending in (
        ("linux", {"XDG_CONFIG_HOME": "/home/me/conf"}, "/home/me/conf/estuary/settings.json"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, ".config/estuary/settings.json"),
        ("linux", {}, ".config/estuary/settings.json"),
        ("darwin", {}, "Library/Application Support/estuary/settings.json"),
        ("win32", {"APPDATA": "/me/AppData/Roaming"}, "/me/AppData/Roaming/estuary/settings.json"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert settings.place(variables).as_posix().endswith(ending)
        assert settings.place({**variables, settings.VARIABLE: "off"}) is None


def test_a_run_without_a_window_touches_no_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(settings, "load", lambda *_: pytest.fail("settings were read"))
    assert main(["--headless", "--grid", "16x16", "--frames", "1", "--precond", "jacobi"]) == 0
    assert not any(tmp_path.iterdir())


def test_a_failing_disk_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in settings.save(tmp_path / "file" / "settings.json", Settings())
