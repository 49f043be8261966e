"""`data:` addresses, each as Chromium shows it."""

import base64
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_from_bytes

import pytest
from playwright.sync_api import Page

from backend.images.address import is_embedded
from backend.images.data_uri import data_uri_content
from mfp_model.errors import ImageError
from tests.browser import running_browser
from tests.unit.backend.images.pictures import saved

_PNG = saved("PNG")
_TEXT = base64.b64encode(_PNG).decode()
_LINES = re.sub("(.{40})", r"\1\n", _TEXT)
_GOOD = {
    "plain": f"data:image/png;base64,{_TEXT}",
    "lines": f"data:image/png;base64,{_LINES}",
    "lines as Windows has them": f"data:image/png;base64,{_LINES}".replace("\n", "\r\n"),
    "lines in percent": f"data:image/png;base64,{_LINES}".replace("\n", "%0A"),
    "capitals": f"DATA:IMAGE/PNG;BASE64,{_TEXT}",
    "a blank behind the comma": f"data:image/png;base64, {_TEXT}",
    "a blank before the word": f"data:image/png; base64,{_TEXT}",
    "a blank behind the word": f"data:image/png;base64 ,{_TEXT}",
    "a tab in its scheme": f"da\tta:image/png;base64,{_TEXT}",
    "blanks around": f" \n data:image/png;base64,{_TEXT} \n",
    "no padding": f"data:image/png;base64,{_TEXT}".rstrip("="),
    "padding in percent": f"data:image/png;base64,{quote(_TEXT)}",
    "no type": f"data:;base64,{_TEXT}",
    "a parameter": f"data:image/png;charset=utf-8;base64,{_TEXT}",
    "a fragment": f"data:image/png;base64,{_TEXT}#part",
    "bytes in percent": f"data:image/png,{quote_from_bytes(_PNG)}",
}
_BAD = {
    "a letter too many": f"data:image/png;base64,{_TEXT.rstrip('=')}A" + "A" * (-len(_TEXT) % 4),
    "other letters": f"data:image/png;base64,{_TEXT[:-8]}&&&{_TEXT[-8:]}",
    "padding within": f"data:image/png;base64,{_TEXT[:8]}=={_TEXT[8:]}",
    "no comma": f"data:image/png;base64;{_TEXT}",
}


@pytest.mark.parametrize("name", _GOOD)
def test_a_picture_is_read_from_its_address(name: str) -> None:
    assert is_embedded(_GOOD[name])
    assert data_uri_content(_GOOD[name]) == _PNG


@pytest.mark.parametrize("name", ["other letters", "padding within", "no comma"])
def test_what_browsers_refuse_is_refused(name: str) -> None:
    with pytest.raises(ImageError, match="data URI"):
        data_uri_content(_BAD[name])


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with running_browser() as browser:
        yield browser.new_page()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("name", [*_GOOD, *_BAD])
def test_the_browser_shows_what_is_read_and_nothing_else(browser_page: Page, name: str) -> None:
    address = {**_GOOD, **_BAD}[name]
    is_shown = browser_page.evaluate(
        "address => new Promise(done => { const image = new Image();"
        " image.onload = () => done(true); image.onerror = () => done(false);"
        " image.src = address; })",
        address,
    )
    try:
        is_read = data_uri_content(address) == _PNG
    except ImageError:
        is_read = False
    assert is_read == is_shown
