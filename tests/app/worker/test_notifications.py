"""Notices: counted, the newest first."""

from app.worker.notifications import KEPT, Notices


def test_notices_are_counted_and_kept_newest_first():
    notices = Notices()
    for text in ("one", "two\nlines", "one"):
        notices.add(text)
    assert [(n.text, n.count) for n in notices.newest_first()] == [("one", 2), ("two lines", 1)]
    for k in range(2 * KEPT):
        notices.add(k)
    assert len(notices.newest_first()) == KEPT
    assert len(notices.newest_first()[0].clock) == len("14:03:20")
    notices.clear()
    assert notices.newest_first() == ()
    shown = notices.current
    notices.add("listed only", current=False)
    assert notices.current is shown
