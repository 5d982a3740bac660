"""The page to read and try the API on: by itself, and in a browser as a person uses it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect

from personas.contract.registry import ROUTES
from personas_tools import openapi
from personas_tools.reference import pages
from support.browser import CHROMIUM, launched_browser
from support.server import demo_service

# Parallel tests share two cores.
expect.set_options(timeout=30_000)

SEARCH: Final = "#operations-Find-search"
CLOSE: Final = ".modal-ux-header button"
DEMO_PERSONAS: Final = 24
WIDTHS: Final = (390, 1280)
HEIGHT: Final = 900
"""The sizes of screens, in CSS pixels."""
READABLE: Final = 4.5
"""The least contrast of text to what it stands on, by WCAG 2.2 (1.4.3, level AA)."""

CONTRASTS: Final = """(elements) => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = parts(color).slice(0, 3).map((value) => value / 255)
      .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let behind = element; behind; behind = behind.parentElement) {
      const color = getComputedStyle(behind).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0.5) return color;
    }
    return "rgb(255, 255, 255)";
  };
  return elements.map((element) => {
    const pair = [luminance(getComputedStyle(element).color), luminance(ground(element))];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
}"""
"""The contrast of each element's text to the nearest ground that is not clear."""

COVERED: Final = """() => {
  const buttons = [...document.querySelectorAll(".live-responses-table .highlight-code button, .curl-command button")];
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return buttons.flatMap((button) => {
    const text = button.closest(".highlight-code, .curl-command").querySelector("pre").getBoundingClientRect();
    return meets(text, button.getBoundingClientRect()) ? [button.title || button.innerText] : [];
  });
}"""
"""The buttons that lie over an answer or a command."""

STORE: Final = "http://127.0.0.1:4566"


class TestParts:
    def test_have_their_types(self) -> None:
        types = {path: response.headers["content-type"].partition(";")[0] for path, response in pages(STORE).items()}
        assert types == {
            "/": "text/html",
            "/openapi.json": "application/json",
            "/reference/page.css": "text/css",
            "/reference/page.js": "text/javascript",
            "/reference/swagger-ui.css": "text/css",
            "/reference/swagger-ui-bundle.js": "text/javascript",
            "/reference/favicon-32x32.png": "image/png",
        }

    def test_refer_to_each_other_only(self) -> None:
        html = pages(STORE)["/"].body.decode()
        assert set(re.findall(r'(?:src|href)="([^"]+)"', html)) <= pages(STORE).keys()
        assert "<script>" not in html
        for path in ("/", "/reference/page.css", "/reference/page.js"):
            assert "://" not in pages(STORE)[path].body.decode()
        assert not re.search(r"url\((?!\"?data:)|@import", pages(STORE)["/reference/swagger-ui.css"].body.decode())

    def test_forbid_the_browser_to_go_elsewhere(self) -> None:
        for response in pages(STORE).values():
            policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert (policy["script-src"], policy["connect-src"]) == ("'self'", f"'self' {STORE}")

    def test_show_the_committed_document(self) -> None:
        assert pages(STORE)["/openapi.json"].body == openapi.DOCUMENT.read_bytes()

    def test_the_document_refers_to_its_own_components_only(self) -> None:
        # The page's script puts these in place, and follows no other.
        references = re.findall(r'"\$ref": "([^"]*)"', openapi.DOCUMENT.read_text())
        assert {"/".join(reference.split("/")[:2]) for reference in references} == {"#/components"}


service = pytest.fixture(scope="module")(demo_service)
browser = pytest.fixture(scope="module")(launched_browser)


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """Open the page; requests to elsewhere and complaints of the page fail the test at its end."""
    context = browser.new_context(viewport={"width": 1280, "height": HEIGHT})
    page = context.new_page()
    page.set_default_timeout(30_000)
    elsewhere: list[str] = []
    complaints: list[str] = []

    def asked(sent: Request) -> None:
        if not sent.url.startswith((f"{address}/", "data:")):
            elsewhere.append(sent.url)

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("request", asked)
    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    answer = page.goto(f"{address}/")
    assert answer is not None
    (store,) = re.findall(r"connect-src 'self' (http://127\.0\.0\.1:\d+);", answer.headers["content-security-policy"])
    yield page
    context.close()
    assert [url for url in elsewhere if not url.startswith(f"{store}/")] == []
    assert complaints == []


@pytest.fixture
def page(service: tuple[str, str], browser: Browser) -> Iterator[Page]:
    """Provide the page as it is when somebody comes."""
    with opened(browser, service[0]) as page:
        yield page


@pytest.fixture(scope="module")
def _looked_at(service: tuple[str, str], browser: Browser) -> Iterator[Page]:
    with opened(browser, service[0]) as page:
        yield page


@pytest.fixture
def looked_at(_looked_at: Page) -> Iterator[Page]:
    """Provide the page for tests that send nothing. They share it: a browser works for seconds to lay it out."""
    _looked_at.set_viewport_size({"width": 1280, "height": HEIGHT})
    _looked_at.evaluate("scrollTo(0, 0)")
    yield _looked_at
    for close in _looked_at.locator(CLOSE).all():
        close.click()


@pytest.fixture(scope="module")
def searched(service: tuple[str, str], browser: Browser) -> Iterator[tuple[Page, Response]]:
    """Provide the page of a person with the key who has sent the proposed search, and its answer.

    Tests share it that look at this, or send something else.
    """
    with opened(browser, service[0]) as page:
        authorise(page, service[1])
        with page.expect_response(lambda response: response.url.endswith("/search")) as received:
            send(page, "Find-search")
        expect(page.locator(f"{SEARCH} .live-responses-table .highlight-code")).to_be_visible()
        yield page, received.value


def authorise(page: Page, key: str) -> None:
    page.locator(".scheme-container button.authorize").click()
    form = page.locator(".auth-container", has_text="X-Api-Key")
    expect(form.locator("input")).to_be_focused()
    form.locator("input").fill(key)
    form.get_by_role("button", name="Apply credentials").click()
    page.locator(CLOSE).click()


def unfold_search(page: Page) -> None:
    if not page.locator(f"{SEARCH} button.execute").is_visible():
        page.locator(f"{SEARCH} .opblock-summary-control").click()
    expect(page.locator(f"{SEARCH} .headers .header-col").first).to_be_visible()


def send(page: Page, operation: str) -> None:
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator("button.execute").click()


@pytest.mark.emulator
class TestInABrowser:
    def test_shows_every_operation(self, looked_at: Page) -> None:
        expect(looked_at.locator(".opblock")).to_have_count(len(ROUTES))
        expect(looked_at.locator(".info .title")).to_contain_text("Personas")
        for name, operation in ROUTES.items():
            block = looked_at.locator(f"[id^='operations-'][id$='-{name}']")
            expect(block.locator(".opblock-summary-description")).to_have_text(operation.summary)

    def test_says_how_to_get_a_key(self, looked_at: Page) -> None:
        expect(looked_at.locator(".start")).to_contain_text("make run")
        looked_at.locator(".scheme-container button.authorize").click()
        expect(looked_at.locator(".auth-container", has_text="X-Api-Key")).to_contain_text("make run")

    def test_sends_a_search_and_shows_the_24_personas(
        self, searched: tuple[Page, Response], service: tuple[str, str]
    ) -> None:
        # Given a person who has pasted the demo's key, when they send the search that the page proposes,
        page, received = searched
        # then all of the demo answer, and the page shows it.
        assert received.request.headers["x-api-key"] == service[1]
        answer = json.loads(received.body())
        assert (len(answer["personas"]), answer["total_count"]) == (DEMO_PERSONAS, DEMO_PERSONAS)
        shown = page.locator(f"{SEARCH} .live-responses-table .response-col_description pre").first
        expect(page.locator(f"{SEARCH} .live-responses-table tbody .response-col_status")).to_contain_text("200")
        expect(shown).to_contain_text(answer["personas"][0]["name"])
        assert shown.inner_text().count('"persona_id"') == DEMO_PERSONAS

    def test_exports_and_downloads_the_file(self, searched: tuple[Page, Response]) -> None:
        page, _ = searched
        with page.expect_response(lambda response: response.url.endswith("/export")) as exported:
            send(page, "Files-export")
        block = page.locator("#operations-Files-download")
        block.locator(".opblock-summary-control").click()
        block.locator("input[placeholder=upload_id]").fill(exported.value.json()["upload_id"])
        with page.expect_download() as download:
            block.locator("button.execute").click()
            block.get_by_role("link", name="Download file").click()
        rows = download.value.path().read_text(encoding="utf-8-sig").splitlines()
        assert rows[0].startswith("persona_id,name,")

    def test_keeps_the_key_over_a_reload(self, page: Page, service: tuple[str, str]) -> None:
        authorise(page, service[1])
        page.reload()
        with page.expect_response(lambda response: response.url.endswith("/search")) as received:
            send(page, "Find-search")
        assert received.value.status == 200

    def test_a_key_in_the_field_for_tokens_is_sent_as_a_key(self, page: Page, service: tuple[str, str]) -> None:
        # Given a person who has pasted the demo's key into the first field,
        page.locator(".scheme-container button.authorize").click()
        form = page.locator(".auth-container", has_text="http, Bearer")
        form.locator("input").fill(service[1])
        form.locator("button.authorize").click()
        page.locator(".auth-container button.btn-done").first.click()
        # when they send a search,
        with page.expect_response(lambda response: response.url.endswith("/search")) as received:
            send(page, "Find-search")
        # then the key is in its own header, and in no other.
        assert received.value.status == 200
        assert received.value.request.headers["x-api-key"] == service[1]
        assert "authorization" not in received.value.request.headers

    @pytest.mark.parametrize("width", WIDTHS)
    def test_fits_the_width_of_the_screen(self, looked_at: Page, width: int) -> None:
        looked_at.set_viewport_size({"width": width, "height": HEIGHT})
        unfold_search(looked_at)
        assert looked_at.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    @pytest.mark.parametrize("width", WIDTHS)
    def test_asks_for_the_key_on_the_first_screen(self, looked_at: Page, width: int) -> None:
        looked_at.set_viewport_size({"width": width, "height": HEIGHT})
        expect(looked_at.locator(".scheme-container button.authorize")).to_be_in_viewport(ratio=1)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_no_button_covers_what_was_answered(self, searched: tuple[Page, Response], width: int) -> None:
        page, _ = searched
        page.set_viewport_size({"width": width, "height": HEIGHT})
        assert page.evaluate(COVERED) == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_names_of_headers_and_examples_can_be_read(self, looked_at: Page, scheme: Literal["light", "dark"]) -> None:
        looked_at.emulate_media(color_scheme=scheme)
        unfold_search(looked_at)
        for selector in (".headers .header-col", ".examples-select__section-label"):
            assert min(looked_at.locator(f"{SEARCH} {selector}").evaluate_all(CONTRASTS)) > READABLE, selector

    def test_deletes_the_persona_of_the_example(self, searched: tuple[Page, Response]) -> None:
        # The page is of before: it shows every persona of the demo.
        page, _ = searched
        with page.expect_response(lambda response: response.url.endswith("/delete")) as received:
            send(page, "Save-delete")
        assert received.value.status == 200


@pytest.mark.emulator
def test_the_page_shows_a_refusal_as_it_was_answered(service: tuple[str, str], browser: Browser) -> None:
    # The browser reports every 401 on its console, so this page is not held to silence.
    page = browser.new_page()
    page.set_default_timeout(30_000)
    page.goto(service[0])
    send(page, "Find-search")
    expect(page.locator(f"{SEARCH} .live-responses-table")).to_contain_text("unauthenticated")
    page.close()


def test_the_browser_that_ci_names_exists() -> None:
    assert CHROMIUM is None or Path(CHROMIUM).exists()
