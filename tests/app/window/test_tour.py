"""The guided tour."""

from dataclasses import replace

from app.window.tour import STEPS, Facts, Tour


def test_the_tour_goes_on_when_each_thing_is_done():
    tour = Tour()
    assert tour.step is None
    tour.start()
    now = Facts(0.0, "htp", 100.0, False, False)
    for change in (
        {"time": 1.5}, {"precond": "jacobi"}, {"contrast": 250.0}, {"comparing": True, "recording": True}
    ):  # fmt: skip
        number = tour.number
        tour.look(now)
        assert tour.number == number, "a step is done before its beginning"
        now = replace(now, **change)
        ended = tour.look(now)
    assert ended
    assert tour.step is None
    assert tour.toured


def test_the_tour_can_be_skipped_ended_and_started_again():
    tour = Tour()
    tour.offered = True
    tour.end()
    assert tour.toured
    assert not tour.offered
    tour.start()
    for number in range(len(STEPS)):
        assert tour.number == number + 1
        tour.skip()
    assert tour.step is None
    tour.start()
    tour.skip()
    assert set(tour.step.sections).isdisjoint(tour.closed({"Fluid", "Files", "Pressure solver"}))
    tour.end()
    assert tour.closed({"Fluid"}) == {"Fluid"}
    assert all(len(step.sentence) < 90 and step.sentence.endswith(".") for step in STEPS)
