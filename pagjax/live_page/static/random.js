// Standard normal draws that a seed, a step and a draw's number determine, whatever was drawn before.

/** Mixes a number into a 32-bit state; every bit of it matters to every bit of the result. */
function mixed(state, number) {
  let x = (state ^ number) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) | 0;
}

/** Uniform numbers in (0, 1]: a counter-based generator of four words (sfc32). */
function uniforms(seed, step, draw) {
  const key = mixed(mixed(mixed(0x9e3779b9, seed), step + 1), draw + 1);
  let a = key;
  let b = mixed(key, 1);
  let c = mixed(key, 2);
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return ((sum >>> 0) + 1) / 4294967296;
  };
  for (let i = 0; i < 12; i += 1) next();
  return next;
}

/** `count` standard normal numbers of one draw (Box and Muller 1958). */
export function normals(seed, step, draw, count) {
  const next = uniforms(seed, step, draw);
  const found = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(next()));
    const angle = 2 * Math.PI * next();
    found[i] = radius * Math.cos(angle);
    if (i + 1 < count) found[i + 1] = radius * Math.sin(angle);
  }
  return found;
}

/** The draws of one step: independent, or pairs z and -z. */
export function draws(sampling, seed, step, number, count) {
  const found = new Float32Array(number * count);
  for (let draw = 0; draw < number; draw += 1) {
    if (sampling === "antithetic" && draw % 2 === 1) {
      for (let i = 0; i < count; i += 1) found[draw * count + i] = -found[(draw - 1) * count + i];
    } else {
      found.set(normals(seed, step, draw, count), draw * count);
    }
  }
  return found;
}
