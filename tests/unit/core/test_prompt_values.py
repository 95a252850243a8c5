"""What a prompt names: values, amounts, purposes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from remit.core.prompt_values import PromptValues

MOVE = (
    "I moved. Update my address: 1234 Elm Street, New York, NY 10001 and my standing orders. The landlord's account "
    "is CA133012400231215421872, rent is 2200. Refund that 10.00, and invite 'Team A' and Alice Smith."
)


@pytest.mark.parametrize(
    "value",
    [
        "1234 Elm Street",
        "New York",
        "New York, NY 10001",
        "CA133012400231215421872",
        2200,
        "10",
        "Team A",
        "Alice Smith",
    ],
)
def test_whole_values_are_named(value: object) -> None:
    """Typed tokens, quoted spans, names, and runs of whole comma-separated segments."""
    assert PromptValues(MOVE).names(value)


@pytest.mark.parametrize(
    "value",
    ["CA13301240023121542187", "York, NY", "Elm Street", "Alice", "Smith", "Team", "the", "and", "220", "1", ""],
)
def test_parts_of_values_and_function_words_are_not(value: object) -> None:
    """No substring, no half of a name, no word of a quotation, no `the`."""
    assert not PromptValues(MOVE).names(value)


def test_what_a_colon_announces_is_a_value() -> None:
    """The message that the user dictates is the user's own, with and without its full stop."""
    prompt = PromptValues("Write this to Bob: Hi, I am a bot! Then stop.")
    assert [prompt.names(v) for v in ("Hi, I am a bot!", "Hi, I am a bot", "I am")] == [True, True, False]


def test_the_first_word_of_a_sentence_is_no_part_of_a_name() -> None:
    """`Invite Dora` names Dora."""
    assert PromptValues("Invite Dora to the team").names("Dora")


def test_purposes_are_matched_in_any_tense_and_not_when_negated() -> None:
    """`posting` asks for `post`; `don't delete` asks for nothing; `do not forget to invite` asks."""
    prompt = PromptValues("Keep posting updates, don't delete anything, and do not forget to invite Mark.")
    assert [prompt.asks_for((p,)) for p in ("post", "delete", "invite", "keep posting", "remove")] == [
        True,
        False,
        True,
        True,
        False,
    ]


def test_amounts_are_numbers_that_are_written_out() -> None:
    """A percentage is a rate, an account is no number."""
    prompt = PromptValues("Send 12.00 plus 10% to GB29NWBK60161331926819")
    assert prompt.amounts == (Decimal("12"),)
