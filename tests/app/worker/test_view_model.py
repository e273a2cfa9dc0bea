"""Between window and simulation: what is set counts, what cannot be had is said, and a newer wish is never lost."""

from __future__ import annotations

from dataclasses import replace

from app.session.session import Session
from app.solving.choice import Choice, ComparisonChoice
from app.solving.switchable_solver import SwitchableSolver
from app.worker import worker as simulation
from app.worker.view_model import ViewModel
from app.worker.worker import Worker
from sim.scenes.reader import load


def opened() -> tuple[Session, ViewModel, Worker]:
    """A worker that is never started: its steps are taken on this thread, where Taichi lives."""
    solve = SwitchableSolver(Choice("multigrid", 1e-6))
    live = Session(load("dam-break"), (16, 16), solve, device="cpu")
    view = ViewModel(solve, paused=True)
    return live, view, Worker(lambda: live, solve, view)


def test_commands_are_carried_out_in_order_and_shown():
    live, view, worker = opened()
    view.submit(Session.set_gravity, 1.0)
    view.submit(Session.set_gravity, 2.0)
    shown = []
    view.on_snapshot = lambda: shown.append(view.snapshot)
    worker._handle(live)
    assert [snapshot.settings.gravity for snapshot in shown] == [2.0]
    assert not view.has_commands
    worker._handle(live)
    assert len(shown) == 1, "shown again though nothing has changed"


def test_another_choice_is_shown_while_paused():
    live, view, worker = opened()
    view.choose(Choice("jacobi", 1e-4))
    worker._handle(live)
    assert view.snapshot.choice == view.choice == Choice("jacobi", 1e-4)


def test_a_comparison_that_cannot_start_is_called_by_its_name(monkeypatch):
    live, view, worker = opened()

    def refuse(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(simulation, "Race", refuse)
    view.compare("race", ("jacobi", "dilu"))
    worker._handle(live)
    assert view.notice.text == "The race cannot start: no memory"
    assert view.comparing == ComparisonChoice("off", ("jacobi", "dilu"))
    monkeypatch.setattr(live, "set_shadows", refuse)
    view.compare("shadow")
    worker._handle(live)
    assert view.notice.text == "Shadow mode cannot start: no memory"


def test_a_start_that_fails_leaves_a_newer_choice_alone(monkeypatch):
    live, view, worker = opened()

    def slow(*_: object) -> None:
        view.compare("shadow", ("multigrid", "jacobi"))  # while the race warms up
        raise RuntimeError("no memory")

    monkeypatch.setattr(simulation, "Race", slow)
    view.compare("race")
    worker._handle(live)
    assert view.comparing == ComparisonChoice("shadow", ("multigrid", "jacobi"))
    worker._handle(live)
    assert view.snapshot.comparison.mode == "shadow"


def test_during_a_replay_choices_and_races_are_refused():
    live, view, _ = opened()
    view.publish(replace(live.snapshot(), replaying=True))
    view.choose(Choice("jacobi", 1e-4))
    assert view.notice.text == "Input is ignored during a replay"
    assert view.choice.precond == "multigrid"
    view.compare("race")
    assert not view.in_panes
    view.compare("shadow")
    assert view.comparing.mode == "shadow"


def test_an_error_in_a_frame_pauses(monkeypatch):
    live, view, worker = opened()
    view.set_paused(False)
    monkeypatch.setattr(live, "step", lambda: (_ for _ in ()).throw(ValueError("velocity not finite")))
    worker._advance(live)
    assert view.paused
    assert view.notice.text == "Paused: velocity not finite; press R to reset"
