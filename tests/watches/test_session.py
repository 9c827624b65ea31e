"""Watches of a session: what they tell, when, and how it reaches who waits."""

import asyncio
import threading

import pytest

from som_agent.errors import InputError
from som_agent.watches import (
    And,
    Appears,
    ChangesColor,
    ComesBack,
    Enters,
    Exits,
    Leaves,
    Moves,
    Near,
    Or,
    Stops,
    Then,
    Touches,
    Zone,
)
from som_agent.watches.watch import MOST_EVENTS

WIDE = (10, 20, 60, 60)  # larger than all others, so that it is mark 1
STILL = (180, 100, 210, 130)


def to(x, y=100):
    return (x, y, x + 30, y + 30)


def walk(player, places):
    """Box 1 stands, box 2 goes; the events of a frame are looked at by the caller."""
    for x in places:
        player.step({1: WIDE, 2: to(x)} if x is not None else {1: WIDE})


def moving(start, stop, step=3):
    return list(range(start, stop, step if stop > start else -step))


def test_near_is_told_once_with_what_was_measured(player):
    player.step({1: WIDE, 2: to(200)})
    told = []
    watch = player.session.watch(Near(mark=1, other=2, distance_px=70), callback=told.append)
    walk(player, moving(200, 80))
    (event,) = watch.events
    assert told == [event]
    assert event.marks == (1, 2)
    x = event.evidence[2].box[0]
    assert event.evidence[2].frame == event.frame
    gap = ((x - 60) ** 2 + 40**2) ** 0.5
    assert event.values["distance_px"] == pytest.approx(gap, abs=1.5)
    assert gap <= 70
    assert event.text == f"mark [1] came near mark [2] ({event.values['distance_px']:.0f} px) at {event.time:.2f} s"
    assert event.started_s == pytest.approx(event.time - 0.1)  # two frames to be sure
    assert not event.already
    walk(player, [80, 83] * 5)
    assert len(watch.events) == 1
    assert watch.to_json()["events"][0]["marks"][1]["mark"] == 2


def test_what_holds_already_is_told_at_once(player):
    walk(player, [100] * 4)
    watch = player.session.watch(Near(mark=1, other=2, distance_px=70), once=True)
    (event,) = watch.events
    assert event.already
    assert "is already near" in event.text
    assert watch.done
    assert player.session.watches == []


def test_two_frames_of_flicker_tell_nothing(player):
    walk(player, [200] * 3)
    watch = player.session.watch(Or((Leaves(mark=2), Touches(mark=1, other=2))))
    walk(player, [200, None, 200, 200, None, None, 200, 200])
    assert watch.events == []
    walk(player, [None] * 3)
    assert len(watch.events) == 1


def test_leaving_by_the_border_is_not_being_hidden(player):
    walk(player, moving(150, 180))
    gone, hidden = (player.session.watch(Leaves(mark=2, how=how)) for how in ("gone", "hidden"))
    back = player.session.watch(ComesBack(mark=2))
    walk(player, [*moving(180, 246, 6), *[None] * 6])
    assert [event.values["how"] for event in gone.events] == ["gone"]
    assert hidden.events == []
    walk(player, [205, 200, 195, 195])
    assert len(back.events) == 1


def test_covered_is_hidden_and_still_in_its_zone(player):
    for _ in range(4):
        player.step({1: WIDE, 2: STILL, 3: (100, 90, 150, 150)})
    hidden, gone = (player.session.watch(Leaves(mark=3, how=how)) for how in ("hidden", "gone"))
    out = player.session.watch(Exits(mark=3, zone=Zone(box=(160, 80, 230, 150))))
    stop = player.session.watch(Stops(mark=3, seconds=2.0))
    for k in range(60):
        x = min(100 + 4 * k, 170) if k < 40 else 170 + 6 * (k - 40)
        player.step({1: WIDE, 2: STILL, 3: (x, 90, x + 50, 150)})
    assert len(hidden.events) == 1
    assert gone.events == []
    assert out.events == []
    assert [round(event.started_s, 1) for event in stop.events] in ([], [0.0])


def test_a_stop_began_before_it_was_told(player):
    walk(player, moving(100, 160))
    stop = player.session.watch(Stops(mark=2, seconds=1.0))
    again = player.session.watch(Moves(mark=2))
    first = player.index
    walk(player, [160] * 30)
    (event,) = stop.events
    assert event.started_s == pytest.approx(first / 20, abs=0.06)
    assert event.time == pytest.approx(first / 20 + 1, abs=0.11)
    before = player.index
    walk(player, moving(160, 120))
    assert before <= again.events[-1].frame <= before + 4


def test_and_needs_both_at_once_and_then_the_order(player):
    zone = Zone(box=(90, 80, 160, 150), name="the mat")
    walk(player, [200] * 4)
    session = player.session
    both = session.watch(And((Enters(mark=2, zone=zone), Near(mark=1, other=2, distance_px=60))))
    order = session.watch(Then(Enters(mark=2, zone=zone), Exits(mark=2, zone=zone), within_s=3.0))
    wrong = session.watch(Then(Exits(mark=2, zone=zone), Enters(mark=2, zone=zone), within_s=3.0))
    late = session.watch(Then(Enters(mark=2, zone=zone), Exits(mark=2, zone=zone), within_s=0.2))
    walk(player, [*moving(200, 85), *moving(85, 200)])
    assert len(both.events) == 1
    assert set(both.events[0].marks) == {1, 2}
    assert len(order.events) == 1
    assert "entered the mat, and" in order.events[0].text
    assert wrong.events == late.events == []


def test_replay_tells_the_same_as_live(player):
    player.step({1: WIDE, 2: to(200)})
    zone = Zone(polygon=((90, 80), (160, 80), (160, 150), (90, 150)))
    conditions = [
        Near(mark=1, other=2, distance_px=70),
        Enters(zone=zone),
        Exits(mark=2, zone=zone),
        Stops(seconds=0.5),
        Moves(mark=2),
        Leaves(),
        ComesBack(mark=2),
        Appears(),
        ChangesColor(),
        Then(Enters(zone=zone), Stops(mark=2, seconds=0.5)),
        And((Near(mark=1, other=2, distance_px=70), Stops(mark=2, seconds=0.5))),
    ]
    live = [player.session.watch(condition) for condition in conditions]
    walk(player, [*moving(200, 85), *[85] * 20, *[None] * 8, *moving(85, 200), *[200] * 15])
    for watch in live:
        again = player.session.watch(watch.condition, since_s=0.0)
        assert [event.text for event in again.events] == [event.text for event in watch.events]
    assert sum(bool(watch.events) for watch in live) >= 8


def test_new_marks_of_the_newest_frame_appear(player):
    walk(player, [200] * 3)
    told = []
    watch = player.session.watch(Appears(), callback=told.append)
    both = player.session.union(1, 2)
    assert [event.marks for event in watch.events] == [(both.mark,)]
    assert len(told) == 1
    walk(player, [200] * 3)
    assert len(watch.events) == 1


def test_a_mark_that_is_gone_ends_its_watch(player):
    player.session.tracker._lives.lost_s = 1.0
    walk(player, [200] * 3)
    near = player.session.watch(Near(mark=1, other=2, distance_px=10))
    gone = player.session.watch(Leaves(mark=2, how="gone"))
    anything = player.session.watch(Leaves())
    walk(player, [None] * 30)
    assert near.done
    assert near.why_done == "mark [2] is gone for good: it can happen no more"
    assert near.wait(5) is None
    assert gone.done
    assert len(gone.events) == 1
    assert not anything.done
    late = player.session.watch(ComesBack(mark=2))
    assert late.done
    assert late.events == []


def test_errors_name_what_there_is(player):
    with pytest.raises(InputError, match="there is no mark 3; the marks are none"):
        player.session.watch(Near(mark=3, distance_px=4))
    walk(player, [200] * 2)
    with pytest.raises(InputError, match="there is no mark 3a; the marks are 1, 2"):
        player.session.watch(Moves(mark="3a"))
    with pytest.raises(InputError, match="outside the picture of 240x160"):
        player.session.watch(Enters(zone=Zone(box=(300, 0, 400, 20))))
    with pytest.raises(InputError, match="it takes two marks"):
        player.session.watch(Near(mark=1, other="[1]", distance_px=4))
    watch = player.session.watch(Moves(mark="[2]"))
    assert watch.condition == Moves(mark=2)
    player.session.unwatch(watch)
    assert watch.why_done == "it was removed"
    with pytest.raises(InputError, match="no watch w1 that waits; there are: none"):
        player.session.unwatch("w1")


def test_what_a_callback_raises_comes_out_of_step_after_all_were_called(player):
    walk(player, [200] * 3)
    told = []

    def fails(event):
        raise ValueError("mine")

    player.session.watch(Leaves(mark=2), callback=fails)
    player.session.watch(Leaves(mark=2), callback=told.append)
    with pytest.raises(ValueError, match="mine"):
        walk(player, [None] * 3)
    assert len(told) == 1
    assert len(player.session.history.frames) == 6


def test_a_callback_may_wait_for_another_thread_that_uses_the_session(player):
    walk(player, [200] * 3)
    seen = []

    def asks(event):
        other = threading.Thread(target=lambda: seen.append(len(player.session.history.frames)))
        other.start()
        other.join(5)
        seen.append(threading.get_ident())

    player.session.watch(Leaves(mark=2), callback=asks)
    walk(player, [None] * 3)
    assert seen == [6, threading.get_ident()]


def test_waiting_in_another_thread(player):
    walk(player, [200] * 3)
    watch = player.session.watch(Leaves(mark=2), once=True)
    assert watch.wait(0.0) is None
    got = []
    waiter = threading.Thread(target=lambda: got.append(watch.wait(10)))
    waiter.start()
    walk(player, [None] * 3)
    waiter.join(10)
    assert [event.kind for event in got] == ["leaves"]
    assert watch.wait() is None


async def test_async_iteration_from_a_loop_while_a_thread_steps(player):
    walk(player, [200] * 3)
    zone = Zone(box=(90, 80, 160, 150))
    watch = player.session.watch(Or((Enters(mark=2, zone=zone), Exits(mark=2, zone=zone))))
    places = [*moving(200, 85), *moving(85, 200)]

    def steps():
        walk(player, places)
        player.session.unwatch(watch)

    stepping = threading.Thread(target=steps)
    stepping.start()
    kinds = [event.text.split("]")[1][:8] async for event in watch]
    await asyncio.to_thread(stepping.join)
    assert kinds == [" entered", " left the"[:8]]
    assert [event async for event in watch] == watch.events


def test_events_are_bounded_and_what_was_dropped_is_counted(player):
    walk(player, [200] * 3)
    watch = player.session.watch(Leaves(mark=2))
    walk(player, [None] * 3)
    (event,) = watch.events
    for _ in range(MOST_EVENTS + 4):
        watch.take(event)
    assert len(watch.events) == MOST_EVENTS
    assert watch.dropped == watch.to_json()["dropped"] == 5
