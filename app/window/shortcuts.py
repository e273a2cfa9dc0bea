"""What the keys do; `interaction.KEYS` tells it to the user."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from imgui_bundle import imgui

from app.render.views import VIEWS
from app.session.session import Session

if TYPE_CHECKING:
    from app.window.window import Window

STEP = 1.2  # of the brush's radius, at a key


def obey(window: Window) -> None:
    """Does what the keys pressed since the last frame ask for."""
    io = imgui.get_io()
    if io.want_text_input or imgui.is_popup_open("", imgui.PopupFlags_.any_popup):
        return  # an open list takes the keys, Escape among them
    if io.key_ctrl:
        obey_with_control(window, io.key_shift)
        return
    worker, state = window.worker, window.state
    actions: dict[Any, Callable[[], None]] = {
        imgui.Key.space: lambda: worker.set_paused(not worker.paused),
        imgui.Key.r: lambda: worker.submit(Session.reset),
        imgui.Key.h: window.toggle_help,
        imgui.Key.m: lambda: setattr(state, "mirror", not state.mirror),
        imgui.Key.left_bracket: lambda: state.set_radius(state.radius / STEP),
        imgui.Key.right_bracket: lambda: state.set_radius(state.radius * STEP),
        imgui.Key.f9: window.toggle_recording,
        imgui.Key.f12: window.take_screenshot,
        imgui.Key.escape: window.close_topmost,
    }
    for k, view in enumerate(VIEWS):
        actions[imgui.Key(imgui.Key._1 + k)] = partial(state.look_at, view)
    for key, action in actions.items():
        if imgui.is_key_pressed(key, False):
            action()
    if imgui.is_key_pressed(imgui.Key.period, True):
        worker.step_once()


def obey_with_control(window: Window, shift: bool) -> None:
    """Undo, redo, save."""
    undo, redo = (imgui.is_key_pressed(key, True) for key in (imgui.Key.z, imgui.Key.y))
    save, worker = imgui.is_key_pressed(imgui.Key.s, False), window.worker
    if worker.comparing.mode == "race" and (undo or redo or save):
        worker.say("a race cannot be edited: switch Compare off first")
    elif redo or (undo and shift):
        worker.submit(Session.redo)
    elif undo:
        worker.submit(Session.undo)
    elif save:
        window.state.naming = True
