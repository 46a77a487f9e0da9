"""Steps a second of the live page in headless Chromium, by WebAssembly.

    pagjax explore --build-only --out pagjax-live
    python benchmarks/live_page.py pagjax-live imagenette-gaussian-0.50 cifar10-gaussian-0.25

Needs Playwright and Chromium. Two draws a step, as the preset `fast` has; start-up is told apart.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pagjax.live_page import serve

_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_DONE = "Number(document.querySelector('#scrub').max)"


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the page")
    parser.add_argument("networks", nargs="+", help="each timed by itself")
    parser.add_argument("--seconds", type=float, default=10.0, help="of steps (10)")
    args = parser.parse_args()
    address = serve.in_background(args.folder)
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(_FLAGS)
        )
        print(f"Chromium {browser.version}; seconds to the page's being ready, steps a second")
        for network in args.networks:
            ready, speed = timed(browser, address, network, args.seconds)
            print(f"{network}: {ready:.1f} s, {speed:.2f}")
        browser.close()


def timed(browser: Any, address: str, network: str, seconds: float) -> tuple[float, float]:
    """Seconds until steps can begin, and steps a second after the first five."""
    family = "cifar10" if network.startswith("cifar10") else "imagenette"
    page = browser.new_page()
    page.set_default_timeout(120_000)
    begun = time.perf_counter()
    page.goto(
        f"{address}index.html#family={family}&networks={network}&draws=2&steps=600&backend=wasm"
    )
    page.wait_for_function("document.querySelector('#status').textContent.startsWith('Ready')")
    ready = time.perf_counter() - begun
    page.click("#play")
    page.wait_for_function(f"{_DONE} >= 5")
    first, begun = page.evaluate(_DONE), time.perf_counter()
    time.sleep(seconds)
    last, ended = page.evaluate(_DONE), time.perf_counter()
    page.close()
    return ready, (last - first) / (ended - begun)


if __name__ == "__main__":
    main()
