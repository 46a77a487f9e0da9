// Which element of the page calls which action.

import { webcam } from "./camera.js";
import { byId, notice } from "./controls.js";

/**
 * @param does what visitors do: an action of the page by its name.
 * @param brush on whose strokes it depends what may change.
 */
export function wire(does, brush) {
  const on = (id, action, kind = "click") => byId(id).addEventListener(kind, action);
  on("play", does.playOrPause);
  on("back", does.back);
  on("scrub", () => does.scrub(Number(byId("scrub").value)), "input");
  on("choose", () => byId("file").click());
  on("file", () => { does.useOwn(byId("file").files[0], "the file"); byId("file").value = ""; }, "change");
  on("webcam", () => webcam((blob) => does.useOwn(blob, "webcam")));
  on("family", () => does.useFamily(byId("family").value), "change");
  on("draft", () => does.usePreset("draft"));
  on("fast", () => does.usePreset("fast"));
  on("paper", () => does.usePreset("paper"));
  for (const name of ["seed", "momentum"]) {
    on(name, () => {
      const { value, min, max } = byId(name);
      const number = Math.min(Number(max), Math.max(Number(min), Number(value) || 0));
      byId(name).value = String(number);
      does.change({ [name]: name === "seed" ? Math.round(number) : number });
    }, "change");
  }
  for (const name of ["schedule", "sampling"]) on(name, () => does.change({ [name]: byId(name).value }), "change");
  on("noise-for-all", () => does.change({ noiseForAll: byId("noise-for-all").checked }), "change");
  on("backend", () => does.useBackend(byId("backend").value), "change");
  on("target-name", () => does.chooseNamed(byId("target-name").value), "change");
  on("brush", () => {
    brush.on = !brush.on;
    byId("brush").setAttribute("aria-pressed", String(brush.on));
    document.body.classList.toggle("brushing", brush.on);
    does.brushTaken();
  });
  on("unmask", () => brush.clear());
  on("brush-size", () => { brush.radius = Number(byId("brush-size").value) / 2; }, "input");
  on("part", () => { if (byId("part").value) brush.part(byId("part").value); byId("part").value = ""; }, "change");
  for (const how of ["png", "gif", "record"]) on(`save-${how}`, () => does.save(how));
  on("copy-link", does.copyLink);
  window.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (file) does.useOwn(file, "what was dropped");
    else notice("That was no file: drop a picture from your machine.");
  });
  window.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files][0];
    if (file) does.useOwn(file, "what was pasted");
  });
  window.addEventListener("hashchange", () => does.restore());
  window.addEventListener("resize", does.refresh);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", does.refresh);
}
