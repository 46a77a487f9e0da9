"""Style and script of the page of a blind test."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --faint: #63636b; --paper: #fff; --line: #ccc;
  --good: #17692f; --bad: #9c2a1e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --faint: #a0a0aa; --paper: #17171b; --line: #44444c; --good: #6fd08a;
    --bad: #ff9a8b; }
}
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
[hidden] { display: none !important; }
#picture { display: block; width: min(100%, 24rem); aspect-ratio: 1; margin: 0 auto 1rem;
  image-rendering: pixelated; border-radius: 4px; }
#choices { display: grid; gap: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
button, input { font: inherit; color: inherit; background: transparent; padding: .5rem .8rem;
  border: 1px solid var(--line); border-radius: 6px; }
button { cursor: pointer; } button:hover, button:focus-visible { border-color: var(--ink); }
.choice { text-align: left; }
kbd { font: .8rem ui-monospace, monospace; color: var(--faint); margin-right: .5rem; }
#back { margin-top: 1rem; } label { display: block; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
#review { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem; }
figure { margin: 0; font-size: .85rem; }
figure img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block; }
.good { color: var(--good); } .bad { color: var(--bad); } .note { color: var(--faint); }
"""

SCRIPT = r"""
"use strict";
const test = JSON.parse(document.getElementById("test").textContent);
const decoded = atob(test.key);
const key = JSON.parse(new TextDecoder().decode(Uint8Array.from(decoded, c => c.charCodeAt(0))));
const part = name => document.getElementById(name);
const kept = "blind-test-" + test.name;
let state = { reader: "", answers: [] };

function remember() {
  history.replaceState(state, "");  // survives a reload at once, the store a closed window
  try { localStorage.setItem(kept, JSON.stringify(state)); } catch { /* a private window */ }
}

function show() {
  const begun = state.reader !== "", done = state.answers.length === test.pictures.length;
  part("begin").hidden = begun;
  part("ask").hidden = !begun || done;
  part("end").hidden = !done;
  if (begun && !done) {
    const number = state.answers.length;
    part("progress").textContent = `Picture ${number + 1} of ${test.pictures.length}`;
    part("picture").src = test.pictures[number];
    part("back").disabled = number === 0;
  }
  if (done) tell();
}

function answer(choice) {
  if (part("ask").hidden) return;
  state.answers.push(choice);
  remember();
  show();
}

function back() {
  if (part("ask").hidden || !state.answers.length) return;
  state.answers.pop();
  remember();
  show();
}

// P(at least k of n) at success probability p, summed from logarithms.
function tail(k, n, p) {
  let sum = 0, log = 0;
  for (let i = 1; i <= n; i++) {
    log += Math.log(n - i + 1) - Math.log(i);
    if (i >= k) sum += Math.exp(log + i * Math.log(p) + (n - i) * Math.log1p(-p));
  }
  return k === 0 ? 1 : sum;
}

function root(rising) {
  let low = 0, high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) > 0.025) high = middle; else low = middle;
  }
  return (low + high) / 2;
}

function interval(k, n) {
  return [k === 0 ? 0 : root(p => tail(k, n, p)), k === n ? 1 : 1 - root(p => tail(n - k, n, p))];
}

function cell(row, text, tag = "td") {
  row.appendChild(document.createElement(tag)).textContent = text;
}

function tell() {
  const networks = [...new Set(key.map(entry => entry[0]))].sort();
  const rows = networks.map(name => {
    const own = key.flatMap((entry, i) => entry[0] === name ? [i] : []);
    const hits = own.filter(i => state.answers[i] === key[i][2]).length;
    return [name, hits, own.length, ...interval(hits, own.length)];
  });
  const table = document.createElement("table"), head = table.insertRow();
  for (const title of ["network", "named", "95% interval"]) cell(head, title, "th");
  for (const [name, hits, count, low, high] of rows) {
    const row = table.insertRow();
    cell(row, name);
    cell(row, `${hits} of ${count}`);
    cell(row, `${low.toFixed(2)} to ${high.toFixed(2)}`);
  }
  part("scores").replaceChildren(table);
  part("review").replaceChildren(...test.pictures.map((source, i) => {
    const figure = document.createElement("figure"), image = new Image();
    const caption = document.createElement("figcaption"), said = document.createElement("div");
    const right = state.answers[i] === key[i][2];
    image.src = source;
    image.alt = `${key[i][1]} to ${key[i][2]} by ${key[i][0]}`;
    caption.textContent = `${key[i][0]}: ${key[i][2]}`;
    said.textContent = `you: ${state.answers[i]}`;
    said.className = right ? "good" : "bad";
    caption.append(said);
    figure.append(image, caption);
    return figure;
  }));
}

function quoted(text) {
  // A cell that begins a formula is text to a spreadsheet only behind an apostrophe.
  const plain = /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return /[",\n\r]/.test(plain) ? '"' + plain.replaceAll('"', '""') + '"' : plain;
}

function csv() {
  const lines = state.answers.map((said, i) => {
    const [network, start, target] = key[i];
    return [state.reader, `${test.name}-${i + 1}`, network, start, target, said];
  });
  return [test.columns, ...lines].map(line => line.map(quoted).join(",")).join("\n") + "\n";
}

part("start").addEventListener("click", () => {
  state = { reader: part("reader").value.trim() || "anonymous", answers: [] };
  remember();
  show();
});
part("reader").addEventListener("keydown", event => {
  if (event.key === "Enter") part("start").click();
});
for (const button of document.querySelectorAll(".choice")) {
  button.addEventListener("click", () => { button.blur(); answer(button.dataset.answer); });
}
part("back").addEventListener("click", back);
part("again").addEventListener("click", () => {
  state = { reader: "", answers: [] };
  remember();
  show();
});
part("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = `blind-test-${test.name}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
document.addEventListener("keydown", event => {
  if (part("ask").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Backspace" || event.key === "b") { event.preventDefault(); back(); return; }
  for (const button of document.querySelectorAll(".choice")) {
    if (button.querySelector("kbd").textContent === event.key.toLowerCase()) {
      answer(button.dataset.answer);
      return;
    }
  }
});
try {
  const before = history.state || JSON.parse(localStorage.getItem(kept));
  if (before && Array.isArray(before.answers) && typeof before.reader === "string") state = before;
} catch { /* nothing kept, or a private window */ }
show();
"""
