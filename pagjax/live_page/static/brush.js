// A mask by hand: one byte a pixel, 0 where the picture must stay as it is.

export class Brush {
  constructor(changed) {
    this.mask = null;
    this.size = 0;
    this.radius = 10;
    this.on = false;
    this.changed = changed;
    this.cursor = null;
  }

  resize(size) {
    if (size !== this.size) this.mask = null;
    this.size = size;
  }

  clear() {
    this.mask = null;
    this.changed(true);
  }

  /** A named part: halves and the middle. */
  part(name) {
    const { size } = this;
    this.mask = new Uint8Array(size * size);
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) {
        const inside = {
          left: column < size / 2,
          right: column >= size / 2,
          top: row < size / 2,
          bottom: row >= size / 2,
          middle: Math.hypot(column - size / 2 + 0.5, row - size / 2 + 0.5) < size / 3,
        }[name];
        this.mask[row * size + column] = inside ? 1 : 0;
      }
    }
    this.changed(true);
  }

  /** A round dab at a place given as shares of the picture's sides. */
  dab(x, y, ends = false) {
    const { size } = this;
    this.mask ??= new Uint8Array(size * size);
    const radius = Math.max(0.8, (this.radius / 100) * size);
    const [middle, height] = [x * size, y * size];
    for (let row = Math.max(0, Math.floor(height - radius)); row < Math.min(size, height + radius); row += 1) {
      for (let column = Math.max(0, Math.floor(middle - radius)); column < Math.min(size, middle + radius); column += 1) {
        if (Math.hypot(column + 0.5 - middle, row + 0.5 - height) <= radius) this.mask[row * size + column] = 1;
      }
    }
    this.changed(ends);
  }

  share() {
    return this.mask === null ? 1 : this.mask.reduce((a, b) => a + b, 0) / this.mask.length;
  }

  /** Lets a canvas be painted on: by pointer, or by arrow keys and the space bar. */
  attach(canvas) {
    let down = false;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.on) return;
      down = true;
      canvas.setPointerCapture(event.pointerId);
      this.dab(...at(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.on && down) this.dab(...at(event));
    });
    const up = (event) => {
      if (this.on && down) this.dab(...at(event), true);
      down = false;
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", () => { down = false; });
    canvas.addEventListener("keydown", (event) => {
      if (!this.on) return;
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!moves && event.key !== " ") return;
      event.preventDefault();
      this.cursor ??= [0.5, 0.5];
      if (moves) this.cursor = this.cursor.map((share, i) => Math.min(1, Math.max(0, share + 0.04 * moves[i])));
      else this.dab(...this.cursor, true);
      this.changed(false);
    });
  }
}
