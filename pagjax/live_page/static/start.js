// The starting picture: whatever a browser can open, and the square of it that is used.

const LONGEST = 1024;

/** A picture as a canvas of at most LONGEST pixels a side; transparent parts lie on mid-grey. */
async function canvasOf(blob, what) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error(`${what} is no picture that this browser can open: choose a PNG or a JPEG.`);
  }
  if (bitmap.width < 2 || bitmap.height < 2) {
    throw new Error(`${what} is ${bitmap.width} by ${bitmap.height} pixels: choose a larger picture.`);
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(2, Math.round(bitmap.width * scale));
  canvas.height = Math.max(2, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#808080";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

export class Start {
  /** @param view the canvas on which the crop is shown and dragged. */
  constructor(view, zoom, changed) {
    this.view = view;
    this.zoom = zoom;
    this.changed = changed;
    this.source = null;
    this.crop = [0.5, 0.5, 1]; // the square's middle, as shares of width and height; its side
    this.name = "";
    let grabbed = null;
    view.addEventListener("pointerdown", (event) => {
      if (!this.source) return;
      view.setPointerCapture(event.pointerId);
      grabbed = [event.clientX, event.clientY];
    });
    view.addEventListener("pointermove", (event) => {
      if (!grabbed) return;
      const box = view.getBoundingClientRect();
      this.move((event.clientX - grabbed[0]) / box.width, (event.clientY - grabbed[1]) / box.height);
      grabbed = [event.clientX, event.clientY];
    });
    const drop = () => {
      if (grabbed) this.changed();
      grabbed = null;
    };
    view.addEventListener("pointerup", drop);
    view.addEventListener("pointercancel", drop);
    view.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const grows = { "+": -0.05, "-": 0.05, "=": -0.05 }[event.key];
      if (!this.source || (!moves && !grows)) return;
      event.preventDefault();
      if (moves) this.move(moves[0] * 0.02, moves[1] * 0.02);
      else this.resize(this.crop[2] + grows);
      this.changed();
    });
    zoom.addEventListener("input", () => this.resize(Number(zoom.value)));
    zoom.addEventListener("change", () => this.changed());
  }

  async open(blob, name, what, crop = [0.5, 0.5, 1]) {
    this.source = await canvasOf(blob, what);
    this.name = name;
    this.crop = crop.slice();
    this.resize(this.crop[2]);
  }

  move(x, y) {
    this.crop = [this.crop[0] + x, this.crop[1] + y, this.crop[2]];
    this.resize(this.crop[2]);
  }

  resize(share) {
    const { width, height } = this.source;
    const zoom = Math.min(1, Math.max(0.1, share));
    const half = (zoom * Math.min(width, height)) / 2;
    const keep = (middle, side) => Math.min(1 - half / side, Math.max(half / side, middle));
    this.crop = [keep(this.crop[0], width), keep(this.crop[1], height), zoom];
    this.zoom.value = String(zoom);
    this.draw();
  }

  square() {
    const { width, height } = this.source;
    const side = this.crop[2] * Math.min(width, height);
    return [this.crop[0] * width - side / 2, this.crop[1] * height - side / 2, side];
  }

  draw() {
    const { width, height } = this.source;
    const view = this.view;
    view.width = 256;
    view.height = Math.max(1, Math.round((256 * height) / width));
    const context = view.getContext("2d");
    const scale = 256 / width;
    context.drawImage(this.source, 0, 0, view.width, view.height);
    const [left, top, side] = this.square().map((value) => value * scale);
    context.fillStyle = "rgba(0, 0, 0, .55)";
    context.beginPath();
    context.rect(0, 0, view.width, view.height);
    context.rect(left, top, side, side);
    context.fill("evenodd");
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.strokeRect(left + 1, top + 1, side - 2, side - 2);
  }

  /** The square as 8-bit pixels [size, size, 4]. */
  pixels(size) {
    const key = [size, ...this.crop].join();
    if (this.kept?.source !== this.source || this.kept.key !== key) {
      this.kept = { source: this.source, key, pixels: this.cut(size) };
    }
    return this.kept.pixels;
  }

  cut(size) {
    const [left, top, side] = this.square();
    let now = document.createElement("canvas");
    let extent = Math.max(size, Math.round(side));
    now.width = extent;
    now.height = extent;
    now.getContext("2d").drawImage(this.source, left, top, side, side, 0, 0, extent, extent);
    while (extent > size) { // halved again and again, so that no pixel is skipped
      const smaller = document.createElement("canvas");
      extent = Math.max(size, Math.round(extent / 2));
      smaller.width = extent;
      smaller.height = extent;
      const context = smaller.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(now, 0, 0, extent, extent);
      now = smaller;
    }
    return now.getContext("2d").getImageData(0, 0, size, size).data;
  }
}

/** 8-bit pixels of four channels as numbers in [0, 1] of three. */
export function asFloats(pixels) {
  const found = new Float32Array((pixels.length / 4) * 3);
  for (let i = 0, j = 0; i < found.length; i += 3, j += 4) {
    found[i] = pixels[j] / 255;
    found[i + 1] = pixels[j + 1] / 255;
    found[i + 2] = pixels[j + 2] / 255;
  }
  return found;
}
