"""The pages in a real browser: what people click, see and print, on desktop and phone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from served import NAME, Client, every_page, serving, shared_cache

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.browser]

SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run"]  # fmt: skip
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=quiet)
        yield started
        started.close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture(scope="module")
def client(cache: Path) -> Iterator[Client]:
    """One server, which all tests ask: its link opens the first browser."""
    with serving(cache) as served:
        yield served


@pytest.fixture(params=SIZES)
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    width, height = SIZES[request.param]
    made = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    made.set_default_timeout(60_000)
    yield made
    made.close()


def enter(context: BrowserContext, client: Client) -> Page:
    """The first page: by the link the first time, then with the cookie that it gave."""
    page = context.new_page()
    if client.cookie:
        name, _, value = client.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": f"http://{client.host}"}])
        page.goto(f"http://{client.host}/")
    else:
        page.goto(client.link)
        page.wait_for_url(f"http://{client.host}/")
        (cookie,) = context.cookies()
        client.cookie = f"{cookie['name']}={cookie['value']}"
    return page


def fits(page: Page) -> None:
    """Nothing is wider than either screen."""
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, (page.url, width)
        cut = page.evaluate(
            "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth)"
            ".map(e => e.innerText.slice(0, 80))"
        )
        assert cut == [], (page.url, width)


def check(page: Page) -> None:
    """Nobody is shut out, and it fits."""
    fits(page)
    found = Axe().run(page).response["violations"]
    assert found == [], (page.url, [(each["id"], each["nodes"][0]["html"]) for each in found])


def test_five_clicks_to_an_answer_and_its_print(
    context: BrowserContext, client: Client, tmp_path: Path
) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page = enter(context, client)
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.click("text=One person >> nth=1")
    page.fill("#name", NAME)
    page.click("text=Continue to the photos")
    page.click("text=Use the 30 drawn photos")
    page.wait_for_selector("text=What the model sees")
    assert page.locator(".sheet img").count() == 30
    loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert page.evaluate(loaded)
    page.click("button:has-text('Ask the model')")
    page.wait_for_selector("text=What else would explain it")
    assert f"{NAME}: associated" in page.inner_text("h1")
    assert "Evidence: clear" in page.inner_text("main")
    pdf = page.pdf(path=tmp_path / "answer.pdf", format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 4
    assert not errors
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {client.host}
    assert all(url.startswith(("http", "data:,")) for url in asked)


def test_every_page_is_open_to_everybody_and_fits_the_screen(
    browser: Browser, client: Client, tmp_path: Path
) -> None:
    # The checks are injected as a script, which the pages' own policy forbids.
    context = browser.new_context(bypass_csp=True, locale="en-GB")
    context.set_default_timeout(60_000)
    page = enter(context, client)
    addresses = every_page(client, tmp_path)
    for address in addresses:
        page.goto(f"http://{client.host}{address}")
        check(page)
    page.goto(f"http://{client.host}/")
    page.click("text=Deutsch")  # which has the longest words
    for address in addresses:
        page.goto(f"http://{client.host}{address}")
        fits(page)
    page.goto(f"http://{client.host}/")
    page.click("text=English")
    context.close()


@pytest.mark.parametrize("context", ["desk"], indirect=True)  # clicked on the phone above
def test_two_tabs_work_on_two_people(context: BrowserContext, client: Client) -> None:
    first, second = enter(context, client), context.new_page()
    second.goto(f"http://{client.host}/")
    for page, name in ((first, NAME), (second, "Aaron Brooks")):
        page.click("text=One person >> nth=1")
        page.fill("#name", name)
        page.click("text=Continue to the photos")
    first.click("text=Use the 30 drawn photos")
    first.wait_for_selector("text=What the model sees")
    second.reload()
    assert "0 photos" in second.inner_text("main")
    assert NAME not in second.inner_text("main")


def test_a_folder_of_people_is_sent_and_tested(
    context: BrowserContext, client: Client, tmp_path: Path
) -> None:
    from idia_index.study import subjects, write_subjects

    chosen = [each for each in subjects() if each.membership == "member"][:2]
    write_subjects(tmp_path / "people", 4, processes=1, chosen=chosen)
    (tmp_path / "people" / "subjects.csv").unlink()
    page = enter(context, client)
    page.click("text=Several people >> nth=1")
    page.set_input_files("#files", tmp_path / "people")
    page.check("[name=basis]")
    page.click("text=Look at them")
    for person in chosen:
        assert person.name in page.inner_text("main")
    page.click("text=Ask the model about all of them")
    page.wait_for_selector("text=All the evidence")
    for person in chosen:
        assert person.name in page.inner_text("table")
    page.click("text=All the evidence")
    assert "Identity inference audit" in page.inner_text("h1")
    color = "getComputedStyle(document.querySelector('h1')).fontSize"
    assert page.evaluate(color) != "32px"  # its own style is obeyed under the policy


@pytest.mark.parametrize("context", ["desk"], indirect=True)
def test_a_restarted_server_knows_nobody(
    context: BrowserContext, cache: Path, client: Client
) -> None:
    page = enter(context, client)
    with serving(cache) as another:
        page.goto(f"http://{another.host}/data")
        assert "belongs to whoever started it" in page.inner_text("body")
