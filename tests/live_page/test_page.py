"""The live page as visitors use it, in a real browser."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pagjax import synthesize
from pagjax.io.files.atomic import read_arrays
from pagjax.live_page.serve import Handler
from tests.live_page.conftest import LABELS, SIDE
from tests.support.browser import opened

PIXELS = """(canvas) => {
  const {width, height} = canvas;
  return [...canvas.getContext("2d").getImageData(0, 0, width, height).data];
}"""
DROP = """({content, name, type}) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const given = new DataTransfer();
  if (name) given.items.add(new File([bytes], name, {type}));
  const how = {dataTransfer: given, bubbles: true, cancelable: true};
  window.dispatchEvent(new DragEvent("drop", how));
}"""


def _shown(live: Path, **given: Any) -> Any:
    return opened(live / "index.html", handler=Handler, **given)


def _ready(page: Any) -> None:
    page.wait_for_function("document.querySelector('#status').textContent.startsWith('Ready')")


def _now(page: Any, panel: int = 0) -> np.ndarray:
    canvas = page.locator(".panel .now canvas").nth(panel)
    return np.reshape(canvas.evaluate(PIXELS), (SIDE, SIDE, 4))


def _steps(page: Any, least: int) -> None:
    page.wait_for_function(f"Number(document.querySelector('#scrub').max) >= {least}")


def _drop(page: Any, content: bytes, name: str, kind: str) -> None:
    given = {"content": base64.b64encode(content).decode(), "name": name, "type": kind}
    page.evaluate(DROP, given)


def _picture() -> bytes:
    pixels = np.random.default_rng(4).integers(60, 200, (SIDE, SIDE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _slide(page: Any, name: str, value: float) -> None:
    page.locator(f"#slider-{name}").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


def _saved(page: Any, which: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.click(f"#save-{which}")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_visit(live, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with _shown(live) as page:
        _ready(page)
        assert page.evaluate("crossOriginIsolated")
        assert page.locator(".panel").count() == 2
        # A dropped picture becomes the start, pixel for pixel.
        _drop(page, _picture(), "mine.png", "image/png")
        page.wait_for_function("!location.hash.includes('start=')")
        start = np.asarray(Image.open(io.BytesIO(_picture())))
        assert (_now(page)[..., :3] == start).all()
        # Every slider is heard, and the page says so where sigma is nobody's.
        for name, value in {"epsilon": 1.9, "stepSize": 0.25, "steps": 20, "draws": 3}.items():
            # Along the slider of step lengths it is their root that goes evenly.
            _slide(page, name, value**0.5 if name == "stepSize" else value)
            assert f"{name}={value:g}" in page.evaluate("location.hash")
        _slide(page, "sigma", 0.4)
        assert "No chosen network was trained at sigma 0.4" in page.inner_text("#sigma-hint")
        _slide(page, "sigma", 0.25)
        assert "trained at" not in page.inner_text("#sigma-hint")
        page.select_option("#part", "left")
        assert "50%" in page.inner_text("#mask-hint")
        # Choosing a class plays; the picture changes where it may, and nowhere else.
        page.click("#targets button:nth-child(2)")
        page.wait_for_function("document.querySelector('#status').textContent.startsWith('Done')")
        now = _now(page).astype(int)
        assert page.inner_text("#shown") == "20 of 20"
        page.click("#unmask")
        changed = np.abs(_now(page).astype(int)[..., :3] - start).max(axis=2) > 0
        assert changed[:, : SIDE // 2].mean() > 0.5
        assert not changed[:, SIDE // 2 :].any()
        assert page.locator(".bars .target .name").first.inner_text() == LABELS[1]
        assert "score" in page.locator(".numbers").first.inner_text()
        # The scrubber shows what was, and back goes back.
        page.locator("#scrub").fill("0")
        assert (_now(page)[..., :3] == start).all()
        page.locator("#scrub").fill("20")
        page.select_option("#part", "left")
        assert page.evaluate("document.querySelector('#play').textContent") == "Play"
        name, record = _saved(page, "record")
        assert name == "mine-to-dog-tiny-gaussian-0.25.json"
        _, png = _saved(page, "png")
        _, gif = _saved(page, "gif")
        page.click("#back")
        assert (_now(page, 1)[:, : SIDE // 2, :3] == start[:, : SIDE // 2]).all()
    large = np.asarray(Image.open(io.BytesIO(png)))
    assert large.shape[0] == 256
    assert np.abs(large[::16, ::16, :3].astype(int)[:, :8] - now[:, :8, :3]).max() == 0
    with Image.open(io.BytesIO(gif)) as animation:
        assert animation.n_frames == 21
        first = np.asarray(animation.convert("RGB"))[::16, ::16].astype(int)
    assert np.abs(first - start).mean() < 6
    # The record repeats the run: the same recipe, start and mask.
    (tmp_path / "record.json").write_bytes(record)
    out = tmp_path / "out"
    assert synthesize.main(["--repeat", str(tmp_path / "record.json"), "--out", str(out)]) == 0
    assert "another generator" in capsys.readouterr().out
    arrays = read_arrays(out / "arrays.npz")
    assert arrays["x0"][0] == pytest.approx(start / 255, abs=1e-6)
    offset = arrays["x_star"][0] - arrays["x0"][0]
    assert (offset[:, SIDE // 2 :] == 0).all()
    assert np.linalg.norm(offset) <= 1.9001
    job = json.loads((out / "record.json").read_text())["job"]
    recipe = ("epsilon", "step_size", "num_steps", "num_samples", "sigma")
    assert [job[name] for name in recipe] == [1.9, 0.25, 20, 3, 0.25]
    # In the same direction, as far as noise lets them.
    theirs = (now[..., :3] - start) / 255
    cosine = (theirs * offset).sum() / np.linalg.norm(theirs) / np.linalg.norm(offset)
    assert cosine > 0.25


def test_a_link_restores_and_says_what_it_cannot(live):
    start = "start=photograph:cat&crop=0.4,0.5,0.7&target=2&epsilon=2.5&steps=30&seed=9&sigma=0.25"
    with _shown(live, fragment=f"#networks=tiny-vanilla,none&{start}&draws=900") as page:
        _ready(page)
        assert page.locator(".panel").count() == 1
        assert page.locator("#targets button[aria-pressed=true]").inner_text() == LABELS[2]
        assert page.input_value("#seed") == "9"
        assert page.input_value("#slider-epsilon") == "2.5"
        told = page.inner_text("#notices")
        assert "network none" in told
        assert "draws 900" in told
        before = _now(page)
        link = page.evaluate("location.hash")
        page.reload()
        _ready(page)
        assert page.evaluate("location.hash") == link
        assert (_now(page) == before).all()


def test_keys_alone_do_it_and_everything_has_a_name(live):
    with _shown(live, width=400, height=800, fragment="#steps=10") as page:
        _ready(page)
        page.focus("#targets button:nth-child(3)")
        page.keyboard.press("Enter")
        _steps(page, 10)
        page.focus("#brush")
        page.keyboard.press("Space")
        page.locator(".now canvas").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        assert "of the pixels may change" in page.inner_text("#mask-hint")
        page.focus("#crop")
        page.keyboard.press("+")
        assert "crop=" in page.evaluate("location.hash")
        nameless = page.evaluate("""() => [
            ...document.querySelectorAll("button, input, select, canvas[role]")]
          .filter((one) => !(one.hidden || one.getAttribute("aria-label") || one.textContent.trim()
            || one.title || one.labels?.length || one.closest("[hidden]") || one.closest("dialog")))
          .map((one) => one.outerHTML)""")
        assert nameless == []
        for width in (400, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            extent = page.evaluate("document.documentElement.scrollWidth")
            assert extent <= width


def test_what_is_no_picture_gives_a_message(live):
    with _shown(live) as page:
        _ready(page)
        before = _now(page)
        _drop(page, b"not a picture", "notes.txt", "text/plain")
        page.wait_for_selector("#notices p")
        assert "notes.txt is no picture" in page.inner_text("#notices")
        page.click("#notices button")
        _drop(page, b"", "", "")
        assert "no file" in page.inner_text("#notices")
        assert (_now(page) == before).all()


def test_a_missing_network_gives_a_message(live):
    with _shown(live, fragment="#networks=tiny-gaussian-0.25") as page:
        _ready(page)
        file = live / "networks" / "tiny-vanilla.onnx"
        hidden = file.rename(live / "networks" / "elsewhere")
        try:
            page.check("#networks input[value=tiny-vanilla]")
            page.wait_for_selector("#notices p")
            assert "vanilla: networks/tiny-vanilla.onnx: the server answers 404" in page.inner_text(
                "#notices"
            )
        finally:
            hidden.rename(file)


def test_a_brush_paints_where_the_pointer_goes(live):
    with _shown(live, fragment="#networks=tiny-vanilla&steps=10") as page:
        _ready(page)
        page.click("#brush")
        box = page.locator(".now canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 4)
        page.mouse.up()
        start = _now(page)
        page.click("#targets button:nth-child(2)")
        _steps(page, 10)
        page.wait_for_function("document.querySelector('#status').textContent.startsWith('Done')")
        changed = np.abs(_now(page).astype(int) - start).max(axis=2) > 0
        assert changed[: SIDE // 2, : SIDE // 2].any()
        assert not changed[SIDE // 2 + 3 :].any()


def test_pictures_are_chosen_pasted_and_shipped_and_a_missing_camera_is_told(live, tmp_path):
    file = tmp_path / "chosen.png"
    file.write_bytes(_picture())
    pixels = np.asarray(Image.open(file))
    paste = DROP.replace("new DragEvent", "new ClipboardEvent")
    paste = paste.replace('"drop", how', '"paste", {clipboardData: given}')
    with _shown(live) as page:
        _ready(page)
        page.set_input_files("#file", file)
        page.wait_for_function("!location.hash.includes('start=')")
        assert (_now(page)[..., :3] == pixels).all()
        page.click("#photographs button[data-start='photograph:cat']")
        page.wait_for_function("location.hash.includes('start=photograph%3Acat')")
        assert (_now(page)[..., :3] != pixels).any()
        content = base64.b64encode(_picture()).decode()
        page.evaluate(paste, {"content": content, "name": "pasted.png", "type": "image/png"})
        page.wait_for_function("!location.hash.includes('start=')")
        assert (_now(page)[..., :3] == pixels).all()
        page.click("#webcam")
        page.wait_for_selector("#notices p")
        assert "No webcam" in page.inner_text("#notices")


def test_presets_and_changes_on_the_way(live):
    with _shown(live, fragment="#steps=600") as page:
        _ready(page)
        page.click("#paper")
        assert page.get_attribute("#paper", "aria-pressed") == "true"
        assert page.input_value("#slider-draws") == "20"
        assert page.inner_text("#error-note") == "± standard error"
        page.click("#draft")
        assert page.get_attribute("#draft", "aria-pressed") == "true"
        length = float(page.inner_text("#slider-stepSize + output"))
        assert abs(float(page.input_value("#slider-stepSize")) ** 2 - length) < 0.1
        page.click("#fast")
        assert page.input_value("#slider-draws") == "2"
        _slide(page, "steps", 600)
        page.click("#play")
        _steps(page, 3)
        _slide(page, "epsilon", 1.5)
        page.click("#play")
        assert page.inner_text("#status") == "Paused."
        _, record = _saved(page, "record")
        told = json.loads(record)
        assert told["settings_changed_at_steps"]
        assert told["job"]["epsilon"] == 1.5
        assert "Settings changed on the way" in page.inner_text("#notices")
        page.click("#back")
        assert page.inner_text("#shown") == "0 of 600"


def test_a_plain_server_gives_threads_too_and_then_none_is_needed(live):
    with opened(live / "index.html", fragment="#networks=tiny-vanilla") as page:
        page.wait_for_function("window.crossOriginIsolated")
        _ready(page)
        assert "threads" in page.inner_text("#about")
        page.reload()
        _ready(page)
        page.context.set_offline(True)
        page.reload()
        _ready(page)
        before = _now(page)
        page.click("#targets button:nth-child(2)")
        _steps(page, 3)
        assert (_now(page) != before).any()
