import pytest

from mfp_model.errors import reason_of


@pytest.mark.parametrize(
    ("message", "reason"),
    [("\nno tensors\nat 7\n", "no tensors"), ("", "EOFError"), (" \n", "EOFError")],
)
def test_the_reason_of_an_error_is_its_first_line_or_its_type(message: str, reason: str) -> None:
    assert reason_of(EOFError(message)) == reason
