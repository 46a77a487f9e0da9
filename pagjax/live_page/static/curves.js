// Two small live curves: the objective with its standard error, and the distance.

const PADS = { left: 42, right: 16, top: 8, bottom: 22 };

function ticks(low, high) {
  const rough = (high - low) / 3;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((one) => one >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(value);
  return found;
}

/**
 * Draws lines over steps.
 *
 * @param lines [{values, errors or null, colour}], one value a step.
 * @param most steps of the whole run.
 * @param shown the step that is shown, marked by a line.
 * @param limit a height to mark, or null.
 */
export function draw(canvas, lines, most, shown, limit = null) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const width = canvas.clientWidth || 480;
  const height = Math.max(110, Math.round(width / 3));
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
  }
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const all = lines.flatMap(({ values, errors }) => values.flatMap((value, step) => {
    const error = errors && Number.isFinite(errors[step]) ? errors[step] : 0;
    return Number.isFinite(value) ? [value - error, value + error] : [];
  }));
  if (limit !== null) all.push(limit, 0);
  let low = all.reduce((a, b) => Math.min(a, b), Infinity);
  let high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  if (high - low < 1e-6) [low, high] = [low - 0.5, high + 0.5];
  const margin = 0.05 * (high - low);
  [low, high] = [low - margin, high + margin];
  const longest = Math.max(most, 2, ...lines.map(({ values }) => values.length - 1));
  const x = (step) => PADS.left + ((width - PADS.left - PADS.right) * step) / longest;
  const y = (value) => height - PADS.bottom - ((height - PADS.top - PADS.bottom) * (value - low)) / (high - low);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = style.getPropertyValue("--soft");
  context.strokeStyle = style.getPropertyValue("--line");
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of ticks(low, high)) {
    context.beginPath();
    context.moveTo(PADS.left, y(value));
    context.lineTo(width - PADS.right, y(value));
    context.stroke();
    context.fillText(String(+value.toPrecision(4)), PADS.left - 4, y(value));
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const step of ticks(0, longest)) context.fillText(String(step), x(step), height - PADS.bottom + 5);
  if (limit !== null) {
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(PADS.left, y(limit));
    context.lineTo(width - PADS.right, y(limit));
    context.stroke();
    context.setLineDash([]);
  }
  for (const { values, errors, colour } of lines) {
    const own = style.getPropertyValue(`--n${colour}`);
    if (errors && errors.some(Number.isFinite)) {
      context.fillStyle = own;
      context.globalAlpha = 0.25;
      context.beginPath();
      values.forEach((value, step) => context.lineTo(x(step), y(value + (Number.isFinite(errors[step]) ? errors[step] : 0))));
      for (let step = values.length - 1; step >= 0; step -= 1) {
        context.lineTo(x(step), y(values[step] - (Number.isFinite(errors[step]) ? errors[step] : 0)));
      }
      context.fill();
      context.globalAlpha = 1;
    }
    context.strokeStyle = own;
    context.lineWidth = 2;
    context.beginPath();
    values.forEach((value, step) => context.lineTo(x(step), y(value)));
    context.stroke();
  }
  context.strokeStyle = style.getPropertyValue("--ink");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x(shown), PADS.top);
  context.lineTo(x(shown), height - PADS.bottom);
  context.stroke();
}
