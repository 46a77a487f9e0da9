// An animated GIF (version 89a) of pictures of one size, in 256 colours that fit all of them.

/** 256 colours by cutting the box of colours at the median of its longest side (Heckbert 1982). */
function palette(frames) {
  const sample = [];
  const total = frames.reduce((sum, pixels) => sum + pixels.length / 4, 0);
  const every = Math.max(1, Math.floor(total / 40000));
  let number = 0;
  for (const pixels of frames) {
    for (let i = 0; i < pixels.length; i += 4) {
      if (number % every === 0) sample.push([pixels[i], pixels[i + 1], pixels[i + 2]]);
      number += 1;
    }
  }
  const extent = (box) => {
    const sides = [0, 1, 2].map((c) => {
      let low = 255;
      let high = 0;
      for (const colour of box) {
        low = Math.min(low, colour[c]);
        high = Math.max(high, colour[c]);
      }
      return high - low;
    });
    const longest = Math.max(...sides);
    return { longest, channel: sides.indexOf(longest) };
  };
  const boxes = [{ colours: sample, ...extent(sample) }];
  while (boxes.length < 256) {
    boxes.sort((a, b) => b.longest * Math.sqrt(b.colours.length) - a.longest * Math.sqrt(a.colours.length));
    const { colours, longest, channel } = boxes[0];
    if (longest === 0 || colours.length < 2) break;
    colours.sort((a, b) => a[channel] - b[channel]);
    const halves = [colours.slice(0, colours.length >> 1), colours.slice(colours.length >> 1)];
    boxes.splice(0, 1, ...halves.map((half) => ({ colours: half, ...extent(half) })));
  }
  const means = boxes.map(({ colours }) => [0, 1, 2].map((c) => Math.round(
    colours.reduce((sum, colour) => sum + colour[c], 0) / Math.max(1, colours.length))));
  while (means.length < 256) means.push([0, 0, 0]);
  return means;
}

/** Lempel, Ziv and Welch's codes of colour numbers, in blocks of at most 255 bytes. */
function compressed(indices) {
  const bytes = [8];
  let block = [];
  let bits = 0;
  let held = 0;
  let width = 9;
  const emit = (code) => {
    held |= code << bits;
    bits += width;
    while (bits >= 8) {
      block.push(held & 255);
      held >>>= 8;
      bits -= 8;
      if (block.length === 255) {
        bytes.push(255, ...block);
        block = [];
      }
    }
  };
  let codes = new Map();
  let next = 258;
  emit(256);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i += 1) {
    const key = prefix * 256 + indices[i];
    const known = codes.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    emit(prefix);
    codes.set(key, next);
    next += 1;
    if (next > 1 << width && width < 12) width += 1;
    if (next === 4096) {
      emit(256);
      codes = new Map();
      next = 258;
      width = 9;
    }
    prefix = indices[i];
  }
  emit(prefix);
  emit(257);
  if (bits > 0) block.push(held & 255);
  if (block.length) bytes.push(block.length, ...block);
  bytes.push(0);
  return bytes;
}

/**
 * The animation's bytes.
 *
 * @param frames 8-bit pixels [size, size, 4] each.
 * @param scale whole pixels a pixel, so that small pictures can be seen.
 * @param delay between frames, in hundredths of a second; the last one stays ten times as long.
 */
export function animation(frames, size, scale, delay) {
  const colours = palette(frames);
  const nearest = new Int16Array(32768).fill(-1);
  const find = (r, g, b) => {
    const key = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
    if (nearest[key] < 0) {
      let best = Infinity;
      colours.forEach(([red, green, blue], index) => {
        const far = (red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2;
        if (far < best) [best, nearest[key]] = [far, index];
      });
    }
    return nearest[key];
  };
  const side = size * scale;
  const word = (value) => [value & 255, value >> 8];
  const parts = [new Uint8Array([
    ...new TextEncoder().encode("GIF89a"), ...word(side), ...word(side), 0xf7, 0, 0, ...colours.flat(),
    0x21, 0xff, 11, ...new TextEncoder().encode("NETSCAPE2.0"), 3, 1, 0, 0, 0,
  ])];
  frames.forEach((pixels, number) => {
    const indices = new Uint8Array(side * side);
    for (let row = 0; row < side; row += 1) {
      for (let column = 0; column < side; column += 1) {
        const i = 4 * (Math.floor(row / scale) * size + Math.floor(column / scale));
        indices[row * side + column] = find(pixels[i], pixels[i + 1], pixels[i + 2]);
      }
    }
    const pause = number === frames.length - 1 ? 10 * delay : delay;
    parts.push(new Uint8Array([0x21, 0xf9, 4, 0, ...word(pause), 0, 0, 0x2c, 0, 0, 0, 0, ...word(side), ...word(side), 0]));
    parts.push(new Uint8Array(compressed(indices)));
  });
  parts.push(new Uint8Array([0x3b]));
  return new Blob(parts, { type: "image/gif" });
}
