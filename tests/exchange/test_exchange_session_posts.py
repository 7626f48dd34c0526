"""Requests of a session: which path they take, and what an answer or its absence proves."""

import msgspec
import pytest

from exchange.hyperliquid.requests import Answered, Failed
from exchange.hyperliquid.session import Session
from exchange.hyperliquid.session_words import (
    Connect,
    HttpFailed,
    HttpReply,
    Lost,
    PostHttp,
    SendFrame,
    SessionSettings,
)
from tests.exchange.session_scene import (
    ACTION,
    BOOK,
    INFO,
    SECOND,
    post_id,
    posted,
    push,
    sent,
    up,
)


def test_post_goes_over_the_socket_and_gives_the_json_http_would_give():
    session = up()
    session.post(7, "action", ACTION, 1)
    (frame,) = sent(session)
    assert msgspec.json.decode(frame.frame)["request"] == {"type": "action", "payload": msgspec.json.decode(ACTION)}
    session.on_frame(1, posted(post_id(frame), "action", {"status": "ok", "response": {"type": "default"}}), 2)
    (answer,) = session.take_reports()
    assert answer == Answered(request_id=7, payload=b'{"status":"ok","response":{"type":"default"}}')
    session.post(8, "info", INFO, 3)
    (frame,) = sent(session)
    session.on_frame(1, posted(post_id(frame), "info", {"type": "orderStatus", "data": {"status": "unknownOid"}}), 4)
    assert session.take_reports() == [Answered(request_id=8, payload=b'{"status":"unknownOid"}')]


@pytest.mark.parametrize(
    ("payload", "kind", "status"),
    [
        ("429: null", "refused", 429),
        ("422: Failed to deserialize the JSON body into the target type", "refused", 422),
        ("408: timeout", "broken", 408),
        ("502: Bad Gateway", "broken", 502),
        ("something else", "broken", 0),
        ({"no": "text"}, "broken", 0),
    ],
)
def test_post_fails_by_the_status_in_an_error_payload(payload, kind, status):
    session = up()
    session.post(7, "action", ACTION, 1)
    session.on_frame(1, posted(post_id(sent(session)[0]), "error", payload), 2)
    (failed,) = session.take_reports()
    assert (failed.request_id, failed.kind, failed.status) == (7, kind, status)


def test_action_is_of_unknown_fate_when_the_connection_goes_after_it_was_sent():
    session = up()
    session.post(7, "action", ACTION, 1)
    session.take_actions()
    session.on_closed(1, "reset", 2)
    lost, failed = session.take_reports()
    assert isinstance(lost, Lost)
    assert (failed.request_id, failed.kind) == (7, "broken")
    assert [one for one in session.take_actions() if not isinstance(one, Connect)] == []


def test_action_was_not_sent_when_the_socket_did_not_take_it():
    session = up()
    session.post(7, "action", ACTION, 1)
    session.on_unsent(sent(session)[0].attempt, 2)
    (failed,) = session.take_reports()
    assert (failed.request_id, failed.kind) == (7, "not_sent")


def test_action_times_out_once_and_a_late_answer_is_counted():
    session = up()
    session.post(7, "action", ACTION, 1)
    (frame,) = sent(session)
    session.on_time(5 * SECOND + 1)
    (failed,) = session.take_reports()
    assert failed.kind == "timeout"
    session.on_frame(1, posted(post_id(frame), "action", {"status": "ok"}), 6 * SECOND)
    assert session.take_reports() == []
    assert session.counters.late_answers == 1


def test_question_is_tried_on_the_other_path_when_the_first_fails():
    session = up()
    session.post(7, "info", INFO, 1)
    session.take_actions()
    session.on_closed(1, "reset", 2)
    (http,) = [one for one in session.take_actions() if isinstance(one, PostHttp)]
    assert (http.path, http.body) == ("/info", INFO)
    session.on_http(http.attempt, HttpReply(200, b'{"status":"unknownOid"}'), 3)
    reports = [one for one in session.take_reports() if not isinstance(one, Lost)]
    assert reports == [Answered(request_id=7, payload=b'{"status":"unknownOid"}')]


def test_question_fails_after_both_paths_failed():
    session = up()
    session.post(7, "info", INFO, 1, prefers_http=True)
    (http,) = session.take_actions()
    session.on_http(http.attempt, HttpFailed("not_sent", "refused"), 2)
    (frame,) = sent(session)
    session.on_frame(1, posted(post_id(frame), "error", "500: down"), 3)
    (failed,) = session.take_reports()
    assert (failed.kind, failed.status) == ("broken", 500)


def test_action_goes_over_http_when_there_is_no_socket():
    session = Session([BOOK], SessionSettings())
    session.start(0)
    session.post(7, "action", ACTION, 1)
    (http,) = [one for one in session.take_actions() if isinstance(one, PostHttp)]
    assert (http.path, http.body) == ("/exchange", ACTION)
    assert session.counters.fallbacks == 1


def test_post_goes_over_http_when_the_socket_is_full_or_clogged():
    session = up(posts_in_flight_max=2)
    for number in range(3):
        session.post(number, "action", ACTION, 1)
    assert [type(one) for one in session.take_actions()] == [SendFrame, SendFrame, PostHttp]
    clogged = up()
    clogged.on_writable(1, is_writable=False)
    clogged.post(1, "action", ACTION, 1)
    assert [type(one) for one in clogged.take_actions()] == [PostHttp]


def test_action_was_refused_when_the_venue_has_too_many_posts():
    session = up()
    session.post(7, "action", ACTION, 1)
    (frame,) = sent(session)
    session.on_frame(1, push("error", f"too many pending post requests id={post_id(frame)}"), 2)
    (failed,) = session.take_reports()
    assert (failed.request_id, failed.kind, failed.status) == (7, "refused", 429)


def test_post_is_not_settled_by_an_answer_on_another_path():
    session = up()
    session.post(7, "action", ACTION, 1, prefers_http=True)
    (http,) = session.take_actions()
    session.on_frame(1, posted(http.attempt, "action", {"status": "ok"}), 2)
    assert session.take_reports() == []
    assert session.in_flight == 1


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (HttpReply(429, b"null"), "refused"),
        (HttpReply(422, b"Failed to deserialize"), "refused"),
        (HttpReply(408, b""), "broken"),
        (HttpReply(301, b""), "broken"),
        (HttpReply(500, b"oops"), "broken"),
        (HttpReply(502, b"<html>"), "broken"),
        (HttpReply(200, b"<html>maintenance</html>"), "broken"),
        (HttpReply(200, b'{"status":"ok","respo'), "broken"),
        (HttpReply(200, b""), "broken"),
        (HttpFailed("not_sent", "refused"), "not_sent"),
        (HttpFailed("timeout", "late"), "timeout"),
        (HttpFailed("broken", "reset"), "broken"),
    ],
)
def test_action_over_http_fails_as_far_as_is_proven(result, kind):
    session = up()
    session.post(7, "action", ACTION, 1, prefers_http=True)
    (http,) = session.take_actions()
    session.on_http(http.attempt, result, 2)
    (failed,) = session.take_reports()
    assert isinstance(failed, Failed)
    assert (failed.request_id, failed.kind) == (7, kind)
    assert session.take_actions() == []
