"""Chromium, in which tests see pages as people do."""

import os
import shutil
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
"""The browser. CI names it, so that there the test runs or fails."""


def launched_browser() -> Iterator[Browser]:
    """Yield a browser, or skip the test. Make a fixture of it."""
    if CHROMIUM is None:
        pytest.skip("No Chromium is installed here; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM)
        yield launched
        launched.close()
