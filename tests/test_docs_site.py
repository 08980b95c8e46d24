"""The site of the documentation is whole, and a browser shows it."""

import functools
import http.server
import shutil
import subprocess
import sys
import threading

import pytest

import tf_ctr
from tests.support.built import ROOT

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; a dead link or a name without a page fails."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A page that is made twice is no error of MkDocs, even in strict mode.
    assert "To replace an existing file" not in done.stderr, done.stderr
    return folder


def test_every_public_package_and_name_has_a_page(site):
    index = (site / "sitemap.xml").read_text()
    for name in tf_ctr.__all__:
        value = getattr(tf_ctr, name)
        if hasattr(value, "__path__"):
            assert f"/api/tf_ctr.{name}/" in index, name
            page = (site / "api" / f"tf_ctr.{name}" / "index.html").read_text()
            missing = [each for each in value.__all__ if f"{each}<" not in page]
            assert not missing, (name, missing)


def test_docstrings_show_their_examples_as_code(site):
    page = (site / "api" / "tf_ctr.transfer" / "index.html").read_text()
    assert "&gt;&gt;&gt; " in page.replace('<span class="gp">', "")
    assert "<blockquote>" not in page  # What Markdown makes of a bare `>>>`.


@pytest.fixture(scope="module")
def browser(site):
    """A function that opens a page of the site in Chromium, at a width in pixels."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    handler = functools.partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    flags = ("no-sandbox", "disable-gpu", "disable-background-networking")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[f"--{flag}" for flag in flags]
        )
        wrong = []

        def opened(page, width=1300):
            tab = chromium.new_page(viewport={"width": width, "height": 900})
            tab.on(
                "console", lambda m: wrong.append(m.text) if m.type == "error" else 0
            )
            tab.on("requestfailed", lambda request: wrong.append(request.url))
            tab.on("pageerror", lambda error: wrong.append(str(error)))
            tab.goto(address + page)
            return tab

        yield opened
        chromium.close()
        assert not wrong, wrong
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Prints nothing."""


def test_a_reader_gets_from_the_start_to_a_guide(browser):
    tab = browser("")
    tab.get_by_role("link", name="ten minutes", exact=True).click()
    tab.wait_for_url("**/start/ten_minutes/")
    assert "from a CSV file" in tab.locator("h1").inner_text()
    tab.get_by_role("link", name="serving", exact=True).first.click()
    tab.wait_for_url("**/guides/serving/")
    assert tab.locator("h1").inner_text().startswith("savedmodels")


def test_search_finds_a_function(browser):
    tab = browser("")
    tab.get_by_role("textbox", name="Search").fill("group_by_route")
    first = tab.locator(".md-search-result__item a").first
    first.click()
    tab.wait_for_url("**/api/tf_ctr.inference/**")


@pytest.mark.parametrize("page", ["", "which_method/", "methods/autoft/", "results/"])
def test_a_phone_shows_a_page_without_scrolling_sideways(browser, page):
    tab = browser(page, width=390)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    for picture in tab.locator("article img").all():
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
