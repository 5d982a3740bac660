"""The diagrams of the documents: Mermaid draws each of them."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Error, Page

from support.browser import launched_browser
from support.programs import MODULES
from support.readme import DOCUMENTS, FENCE

pytestmark = pytest.mark.clients

DIAGRAMS: Final = {
    f"{document.stem}-{number}": content
    for document in DOCUMENTS
    for number, (_, language, content) in enumerate(FENCE.findall(document.read_text(encoding="utf-8")))
    if language == "mermaid"
}
DRAW: Final = "async (diagram) => (await mermaid.render('drawn', diagram)).svg"

browser = pytest.fixture(scope="module")(launched_browser)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty page that has Mermaid."""
    with browser.new_page() as opened:
        opened.add_script_tag(path=MODULES / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js")
        yield opened


@pytest.mark.parametrize("diagram", DIAGRAMS.values(), ids=DIAGRAMS)
def test_a_diagram_is_drawn(page: Page, diagram: str) -> None:
    assert page.evaluate(DRAW, diagram).startswith("<svg")


def test_another_text_is_none(page: Page) -> None:
    with pytest.raises(Error, match="Parse error"):
        page.evaluate(DRAW, "flowchart LR\n    begun[not closed")
