"""What the tests of the page share: a browser without a screen, and what is waited for in it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no Chromium with its driver on this machine"
)
_FLAGS = (
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
)

CONTRAST = """
const channels = (text) => text.match(/[0-9.]+/g).map(Number);
const light = (channel) => {
  const share = channel / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
};
const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = channels(getComputedStyle(one).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const texts = [...element.childNodes].filter((one) => one.nodeType === 3 && one.data.trim());
  if (!texts.length && !element.value || !element.checkVisibility()) continue;
  const pair = [channels(getComputedStyle(element).color), behind(element)].map(luminance);
  const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  found.push([ratio, element.className || element.tagName, element.textContent.slice(0, 40)]);
}
return found.sort((a, b) => a[0] - b[0]);
"""
"""The contrast of every text that is seen, as WCAG 2 defines it, the lowest first."""


@dataclass(frozen=True)
class Page:
    """The page in a browser. Selectors are those of CSS."""

    driver: webdriver.Chrome

    def open(self, url: str, view: str = "ask") -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{url}/#{view}")
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, "#speaker option"))

    def one(self, selector: str) -> WebElement:
        """The last element that matches, once there is one that can be seen."""
        return self.until(
            lambda: next((e for e in self.all(selector)[::-1] if e.is_displayed()), None)
        )

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def choose(self, selector: str, value: str) -> None:
        Select(self.one(selector)).select_by_value(value)

    def until(self, told: Callable[[], Any], seconds: float = 30) -> Any:
        waiting = WebDriverWait(self.driver, seconds, 0.05, [StaleElementReferenceException])
        return waiting.until(lambda _: told())

    def answered(self, number: int = 1) -> None:
        """Wait for this many answers to be whole."""
        script = "return document.querySelectorAll('.turn .answer:not([aria-busy])').length"
        self.until(lambda: self.driver.execute_script(script) >= number)

    def resize(self, width: int, height: int = 900) -> None:
        """The size of the content, as a telephone has it."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def scheme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def contrasts(self) -> list[tuple[float, str, str]]:
        """The contrast of every text that is seen, the lowest first, with class and text."""
        found: list[tuple[float, str, str]] = self.driver.execute_script(CONTRAST)
        return found

    def complaints(self) -> list[str]:
        """What the browser logged as an error, of scripts and of what the policy forbids."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*_FLAGS, f"user-data-dir={folder}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield Page(driver)
    finally:
        driver.quit()
