// The loop of pagjax.core.pgd in JavaScript: normalised steps in an l2 ball, then the pixel box.

/** The l2 norm of an array, or of the difference of two. */
export function norm(values, others = null) {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = others === null ? values[i] : values[i] - others[i];
    sum += value * value;
  }
  return Math.sqrt(sum);
}

/** The direction of a vector, or null: a zero or non-finite one has none. */
function normalised(vector) {
  const length = norm(vector);
  if (!(Number.isFinite(length) && length > 0)) return null;
  return vector.map((value) => value / length);
}

/**
 * Value and gradient of the mean target logit from the evaluations of some noise draws.
 *
 * @param chunks results of the network's file: gradient [pixels], logits [draws, classes],
 *     probabilities [classes], and how many draws they are of.
 * @param target class index.
 * @param group how many draws in turn depend on one another: 1, or 2 for pairs.
 * @param noisy whether there was noise at all.
 */
export function combined(chunks, target, group, noisy) {
  const total = chunks.reduce((sum, chunk) => sum + chunk.count, 0);
  const classes = chunks[0].probabilities.length;
  const gradient = new Float32Array(chunks[0].gradient.length);
  const probabilities = new Float64Array(classes);
  const scores = [];
  for (const { count, ...chunk } of chunks) {
    const share = count / total;
    for (let i = 0; i < gradient.length; i += 1) gradient[i] += share * chunk.gradient[i];
    for (let c = 0; c < classes; c += 1) probabilities[c] += share * chunk.probabilities[c];
    for (let draw = 0; draw < count; draw += 1) scores.push(chunk.logits[draw * classes + target]);
  }
  const objective = scores.reduce((a, b) => a + b, 0) / total;
  return {
    gradient, probabilities, objective, error: standardError(scores, group, noisy), draws: total,
  };
}

/** Of the mean of the scores, from the means of independent groups; infinite from a single one. */
function standardError(scores, group, noisy) {
  const means = [];
  for (let i = 0; i < scores.length; i += group) {
    const own = scores.slice(i, i + group);
    means.push(own.reduce((a, b) => a + b, 0) / own.length);
  }
  if (means.length === 1) return noisy ? Infinity : 0;
  const mean = means.reduce((a, b) => a + b, 0) / means.length;
  const squares = means.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (means.length - 1) / means.length);
}

/** How long step number k is, relative to the first. */
export function factor(schedule, step, steps) {
  return schedule === "linear" ? Math.max(0, 1 - step / steps) : 1;
}

/**
 * One step: along the normalised gradient, or the normalised running sum of them; then onto the
 * ball around the start, then into the box. A zero or non-finite gradient moves nothing.
 *
 * @param state {image, trace}: pixels [h, w, 3] and the running sum, or null.
 * @param how {length, epsilon, momentum}: l2 lengths in pixel units of [0, 1].
 * @param mask null, or one number a pixel [h, w]: 0 where it must stay.
 * @returns the next state.
 */
export function advance(state, start, gradient, how, mask = null) {
  let direction = normalised(gradient);
  if (direction === null) return state;
  let trace = null;
  if (how.momentum > 0) {
    trace = direction.slice();
    if (state.trace !== null) {
      for (let i = 0; i < trace.length; i += 1) trace[i] += how.momentum * state.trace[i];
    }
    direction = normalised(trace);
    if (direction === null) return { ...state, trace };
  }
  const point = new Float32Array(start.length);
  for (let i = 0; i < point.length; i += 1) {
    const open = mask === null || mask[(i / 3) | 0] !== 0;
    point[i] = open ? state.image[i] + how.length * direction[i] : start[i];
  }
  const distance = norm(point, start);
  const shrink = distance > how.epsilon ? how.epsilon / distance : 1;
  for (let i = 0; i < point.length; i += 1) {
    const inside = shrink < 1 ? start[i] + (point[i] - start[i]) * shrink : point[i];
    point[i] = Math.min(1, Math.max(0, inside));
  }
  return { image: point, trace };
}
