import asyncio
import math
import threading

import numpy as np
import pytest
from langchain_core.messages import AIMessage

from som_agent.errors import InputError
from som_agent.grounding import Asking
from som_agent.lmm.calls.limits import Limits
from som_agent.lmm.profiles import PictureTokens, Price, Profile
from som_agent.marks.view import View
from tests.grounding.scripted import Scripted, picture, watched

ONCE = Asking(tries=1)


def ask(model, session=None, question="Which one is red?", asking=ONCE):
    return (session or watched()).ask(question, lmm=model, name="scripted", asking=asking)


def label_of(session, color):
    """The label of the square whose pixels have this colour."""
    marked = session.newest
    for info in marked.infos:
        if marked.frame.image[marked.mask(info.mark)].mean(axis=0).argmax() == color:
            return info.label
    raise AssertionError


def test_the_path_from_question_to_mask():
    session = watched()
    red = label_of(session, 0)
    answer = ask(Scripted(replies=[f"The red one is [{red}]."]), session)
    (known,) = answer.marks
    mask = answer.mask(known.mark)
    assert mask.shape == (120, 160)
    assert np.array_equal(mask, session.newest.mask(known.mark))
    assert np.array_equal(mask, answer.mask(known.mark, 0.2))
    with pytest.raises(InputError, match="there is no mark 77"):
        answer.mask(77)
    assert answer.unsupported == []
    (claim,) = answer.claims
    assert (claim.text, claim.marks, claim.confidence) == (answer.text, (known.mark,), None)
    assert claim.intervals == known.intervals == [(0.0, pytest.approx(0.4))]
    assert (answer.as_of.frame, answer.newest.frame) == (4, 4)
    assert [(s.label, s.state, s.seen.frame) for s in answer.now] == [(red, "visible", 4)]
    assert (answer.usage.calls, answer.usage.pictures) == (1, len(known.evidence))
    assert answer.usage.tokens_in > 0


def test_a_claim_holds_at_the_time_that_it_names_and_no_longer():
    answer = ask(Scripted(replies=["At 0.2 s, [1] moves. [2] is green."]))
    assert [c.intervals for c in answer.claims] == [[(0.2, 0.2)], [(0.0, pytest.approx(0.4))]]
    assert [m.intervals for m in answer.marks] == [c.intervals for c in answer.claims]
    assert answer.unsupported == []


def test_a_claim_about_a_time_at_which_the_mark_is_not_visible_has_no_support():
    session = watched(frames=40, second_until=9)
    gone = label_of(watched(), 1)
    answer = ask(Scripted(replies=[f"At 3.5 s, [{gone}] is in the middle."]), session)
    (lost,) = answer.unsupported
    assert lost.reason == f"mark {gone} is not visible at 3.50 s: no mask shows it"
    assert answer.claims[0].intervals == []
    assert [s.state for s in answer.now] == ["occluded"]
    assert answer.now[0].seen.frame <= 9
    with pytest.raises(InputError, match=r"not visible at 3\.5 s"):
        answer.mask(answer.marks[0].mark, 3.5)


def test_a_reply_without_marks_is_sent_back():
    model = Scripted(replies=["The red square.", "It is [1]."])
    answer = ask(model)
    assert answer.text == "It is [1]."
    assert "cites no mark" in model.texts(1)[-1]
    assert "1, 2, 3" in model.texts(1)[-1]
    assert len(model.pictures(1)) == len(model.pictures(0))


def test_a_mark_that_only_the_question_names_is_no_fault_of_the_reply():
    model = Scripted(replies=["There is no mark [99]; [1] is red."])
    answer = ask(model, question="Is [99] red?")
    assert len(model.told) == 1
    assert [m.label for m in answer.marks] == ["1"]
    assert [part.reason for part in answer.unsupported] == ["there is no mark 99; the marks are 1, 2, 3"]
    for reply in ("[1] is red.", "No marked object fits."):
        answer = ask(Scripted(replies=[reply]), question="Is [99] red?", asking=Asking(search=False))
        assert answer.unsupported[0].text == "Is [99] red?"
        assert "there is no mark 99" in answer.unsupported[0].reason


def test_a_later_request_that_is_turned_down_does_not_cost_the_answer_before():
    class TurnedDownError(Exception):
        status_code = 403

    session = watched()
    model = Scripted(replies=["No marked object fits.\nNot marked: the shadow", TurnedDownError("no")])
    answer = session.ask("Where is the shadow?", lmm=model, name="x", asking=ONCE, finder=Finder())
    assert answer.none_such
    assert "no access" in answer.unsupported[-1].reason


def test_a_reply_that_was_cut_off_before_it_named_anything_is_sent_back():
    cut = AIMessage('{"answer": "The', response_metadata={"finish_reason": "length"})
    model = Scripted(replies=[cut, "It is [2]."])
    assert [m.label for m in ask(model).marks] == ["2"]
    assert "breaks off" in model.texts(1)[-1]


def test_a_mended_reply_that_is_worse_is_not_taken():
    answer = ask(Scripted(replies=["[1] and [9]", "I am sorry.", "I am very sorry."]))
    assert answer.text == "[1] and [9]"
    assert "there is no mark 9" in answer.unsupported[0].reason


def test_what_fails_while_a_reply_is_mended_is_said_and_the_reply_kept():
    answer = ask(Scripted(replies=["[1] and [9]", ConnectionError("the line is dead")]))
    assert [m.label for m in answer.marks] == ["1"]
    reasons = [part.reason for part in answer.unsupported]
    assert "no mark 9" in reasons[0]
    assert "could not be mended" in reasons[1]
    assert "the line is dead" in reasons[1]


def test_probability_of_the_marks_is_the_confidence():
    tokens = [("It", -0.1), (" is", 0.0), (" [", -0.2), ("1", math.log(0.8)), ("]", 0.0), (".", 0.0)]
    logprobs = {"content": [{"token": token, "logprob": value} for token, value in tokens]}
    answer = ask(Scripted(replies=[AIMessage("It is [1].", response_metadata={"logprobs": logprobs})]))
    assert answer.claims[0].confidence == pytest.approx(0.8)


def test_verification_shows_each_mark_alone_and_drops_what_is_rejected():
    model = Scripted(replies=["[1] is red. [2] is red.", "Accept. It is red.", "Reject: it is green."])
    answer = ask(model, asking=Asking(tries=1, verify=True))
    assert [m.label for m in answer.marks] == ["1"]
    assert [c.verified for c in answer.claims] == [True, False]
    (lost,) = answer.unsupported
    assert lost.text == "[2] is red."
    assert "was rejected: Reject: it is green." in lost.reason
    assert answer.usage.calls == 3
    for call, left_px in ((1, 10), (2, 60)):
        whole, near = model.pictures(call)
        assert "Which one is red?" in model.texts(call)[0]
        # Only one of the squares has a mark on it: the others have the colour that they have.
        scale = whole.shape[1] / 160
        middles = [whole[round(60 * scale), round((x + 20) * scale)].astype(int) for x in (10, 60, 110)]
        drawn = [k for k, x in enumerate((10, 60, 110)) if _has_plate(whole, x * scale, scale)]
        assert drawn == [(10, 60, 110).index(left_px)], middles
        assert near.shape[1] / near.shape[0] == pytest.approx(1, abs=0.15)  # the left one is near the edge


def _has_plate(image, left, scale):
    """Whether something black or white is drawn on the square from x = `left`."""
    part = image[round(45 * scale) : round(75 * scale), round(left + 5 * scale) : round(left + 35 * scale)]
    return bool((part.min(axis=2) > 200).any() or (part.max(axis=2) < 25).any())


def test_a_verdict_that_cannot_be_read_or_had_is_said_and_nothing_dropped():
    model = Scripted(replies=["[1] is red. [2] is red.", "Perhaps.", ConnectionError("gone")])
    answer = ask(model, asking=Asking(tries=1, verify=True))
    assert [m.label for m in answer.marks] == ["1", "2"]
    assert [c.verified for c in answer.claims] == [None, None]
    assert "neither: 'Perhaps.'" in answer.unsupported[0].reason
    assert "gone" in answer.unsupported[1].reason


class Finder:
    """Finds the lower half of the first square, whatever is asked for, or nothing."""

    def __init__(self, finds=True):
        self.finds, self.asked = finds, []

    name = "finder"

    def find(self, frame, phrases):
        from som_agent.regions import Regions
        from som_agent.segmenters.text import Found

        self.asked.append(tuple(phrases))
        labels = np.zeros(frame.image.shape[:2], np.int32)
        if self.finds:
            labels[85:110, 20:60] = 1
        regions = Regions.from_labels(labels)
        return Found(regions, tuple(phrases[:1]) * len(regions))


def test_what_has_no_mark_is_searched_by_its_name_and_asked_again():
    session, finder = watched(), Finder()
    model = Scripted(replies=["No marked object fits.\nNot marked: the shadow, on [1]", "The shadow is [4]."])
    answer = session.ask("Where is the shadow?", lmm=model, name="x", asking=ONCE, finder=finder)
    assert finder.asked == [("the shadow",)]
    assert [m.label for m in answer.marks] == ["4"]
    assert answer.mask(4)[85:110, 20:60].all()
    assert '[4] is what a text-prompted segmenter finds for "the shadow"' in model.texts(1)[-1]
    assert answer.unsupported == []


def test_a_search_that_finds_nothing_is_told():
    session = watched()
    model = Scripted(replies=["No marked object fits: there is no giraffe."])
    answer = session.ask("Where is the giraffe?", lmm=model, name="x", asking=ONCE, finder=Finder(False))
    assert answer.none_such
    assert (answer.marks, answer.claims) == ([], [])
    reasons = [part.reason for part in answer.unsupported]
    assert reasons[0] == "the model finds no marked object that fits"
    assert 'finds no "giraffe"' in reasons[1]


def test_without_a_finder_the_mark_that_was_named_is_opened():
    class Halves:
        name = "halves"

        def segment(self, frame):
            from som_agent.regions import Regions

            h, w = frame.image.shape[:2]
            labels = np.ones((h, w), np.int32)
            labels[h // 2 :] = 2
            return Regions.from_labels(labels)

    session = watched()
    session.segmenter = Halves()  # what a zoom looks with
    model = Scripted(replies=["No marked object fits.\nNot marked: the lid, on [2]", "The lid is [2a]."])
    answer = session.ask("Where is the lid?", lmm=model, name="x", asking=ONCE)
    assert "mark 2 was opened: its parts are [2a], [2b]" in model.texts(1)[-1]
    assert [m.label for m in answer.marks] == ["2a"]
    assert answer.mask(answer.marks[0].mark).sum() == pytest.approx(800, abs=60)


def test_a_search_can_be_left_out():
    model = Scripted(replies=["No marked object fits."])
    asking = Asking(tries=1, search=False)
    answer = watched().ask("Where is the giraffe?", lmm=model, name="x", asking=asking)
    assert len(answer.unsupported) == 1


def test_a_limit_stops_before_anything_is_sent():
    model = Scripted(replies=["[1]"])
    answer = ask(model, asking=Asking(limits=Limits(tokens=10)))
    assert model.told == []
    assert "10" in answer.unsupported[0].reason
    assert (answer.text, answer.usage.calls) == ("", 0)
    cheap = Profile("x", View("x", 336), price=Price(1e6, 1e6))
    answer = ask(model, asking=Asking(profile=cheap, limits=Limits(usd=0.01)))
    assert model.told == []
    with pytest.raises(InputError, match="price"):
        ask(model, asking=Asking(limits=Limits(usd=0.01)))


def test_pictures_fit_the_context_of_the_model_and_the_limits():
    def pictures(**options):
        model = Scripted(replies=["[1]"])
        ask(model, watched(30), asking=Asking(tries=1, **options))
        return len(model.pictures(0))

    small = Profile("x", View("x", 336), picture_tokens=PictureTokens(base=900), context_tokens=3600)
    assert pictures(frames=6, pictures=6) == 6
    assert pictures(frames=9, pictures=9, profile=small) == 2
    assert pictures(frames=9, pictures=9, limits=Limits(pictures=3)) == 3
    assert pictures(frames=4, pictures=9, plain=True) == 8


def test_a_session_goes_on_while_the_model_is_waited_for():
    session = watched(frames=6, second_until=8)
    green = label_of(session, 1)
    stepped = threading.Event()

    def reply(_):
        assert stepped.wait(30)
        return f"The green one is [{green}]."

    async def live():
        asked = asyncio.create_task(
            session.aask("Which is green?", lmm=Scripted(replies=[reply]), asking=ONCE)
        )
        await asyncio.sleep(0.01)
        for index in range(6, 40):
            session.step(picture(session.segmenter, index), time=index / 10)
        stepped.set()
        return await asked

    answer = asyncio.run(live())
    assert (answer.as_of.frame, answer.newest.frame) == (5, 39)
    (now,) = answer.now
    assert (now.label, now.state, now.seen.frame) == (green, "occluded", 8)
    later = answer.at(session.history)
    assert later.now == answer.now


def test_waiting_can_be_cancelled():
    release = threading.Event()

    async def live():
        model = Scripted(replies=[lambda _: release.wait(30) and "[1]"])
        task = asyncio.create_task(watched().aask("Which?", lmm=model, asking=ONCE))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    try:
        asyncio.run(live())
    finally:
        release.set()


def test_marks_are_drawn_as_the_model_reads_them_best():
    def shown(draw):
        model = Scripted(replies=["[1]"])
        profile = Profile("x", View("x", 320), draw=draw)
        ask(model, asking=Asking(tries=1, profile=profile))
        return model.pictures(0)[0].astype(int)

    default, boxed, bare = shown(None), shown(("mark", "box")), shown(("mark",))
    assert np.abs(default - shown(("mark", "mask", "contour"))).max() == 0
    edge = np.s_[80:160, 18:23]  # of the first square, where a contour or a box is
    assert np.abs(bare - boxed)[edge].max() > 60
    assert np.abs(bare - boxed)[100:140, 128:138].max() < 20, "nothing but the boxes differs"
