"""Nonces: the 100 highest of each signer, in a window, against a model that keeps everything."""

from hypothesis import given
from hypothesis import strategies as st

from domain.units import NS_PER_MS
from services.venue_server.signer_nonces import FUTURE_MS, KEPT, PAST_MS, SignerNonces

NOW_MS = 1_800_000_000_000
NOW_NS = NOW_MS * NS_PER_MS


def test_nonces_refuse_word_for_word():
    nonces = SignerNonces()
    nonces.take("a", NOW_MS)
    assert nonces.objection("a", NOW_MS, NOW_NS) == f"Invalid nonce: duplicate nonce {NOW_MS}"
    low, high = NOW_MS - PAST_MS, NOW_MS + FUTURE_MS
    assert nonces.objection("a", low, NOW_NS) == f"Invalid nonce: nonce too low {low} < {low}"
    assert nonces.objection("a", low + 1, NOW_NS) == ""
    assert nonces.objection("a", high, NOW_NS) == f"Invalid nonce: nonce too high {high} > {high}"
    assert nonces.objection("a", high - 1, NOW_NS) == ""


def test_nonces_of_signers_are_apart():
    nonces = SignerNonces()
    nonces.take("a", NOW_MS)
    assert nonces.objection("b", NOW_MS, NOW_NS) == ""
    nonces.forget("a")
    assert nonces.objection("a", NOW_MS, NOW_NS) == ""


def test_a_nonce_must_exceed_the_smallest_kept_when_a_hundred_are_kept():
    nonces = SignerNonces()
    for step in range(KEPT - 1):
        nonces.take("a", NOW_MS + 2 * step)
    assert nonces.objection("a", NOW_MS - 1, NOW_NS) == ""
    nonces.take("a", NOW_MS + 2 * KEPT)
    assert nonces.objection("a", NOW_MS - 1, NOW_NS) == f"Invalid nonce: nonce too low {NOW_MS - 1} < {NOW_MS}"
    assert nonces.objection("a", NOW_MS + 1, NOW_NS) == ""
    nonces.take("a", NOW_MS + 1)
    assert nonces.objection("a", NOW_MS, NOW_NS) == f"Invalid nonce: nonce too low {NOW_MS} < {NOW_MS + 1}"


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(-PAST_MS - 2, FUTURE_MS + 2) | st.integers(-150, 150)),
        max_size=400,
    )
)
def test_nonces_agree_with_a_model_that_forgets_nothing(asked):
    nonces = SignerNonces()
    taken = {"a": set(), "b": set()}
    for signer, offset in asked:
        nonce = NOW_MS + offset
        used = taken[signer]
        kept = sorted(used)[-KEPT:]
        is_free = nonce not in used and -PAST_MS < offset < FUTURE_MS and (len(kept) < KEPT or nonce > kept[0])
        assert (nonces.objection(signer, nonce, NOW_NS) == "") == is_free
        if is_free:
            nonces.take(signer, nonce)
            used.add(nonce)
