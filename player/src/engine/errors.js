/**
 * What an hls.js error means for the page. hls.js repeats requests on its own; only errors that it gives
 * up on (`fatal`) ask for a decision here.
 */

/** @typedef {'ignore' | 'reload' | 'recover' | 'codec' | 'stop'} Action */

/**
 * `reload`: ask for the manifest again, whose answer says in words what is wrong, or works.
 * `recover`: hls.js rebuilds the media buffers in place.
 * @type {Readonly<Record<string, Action>>} by `details`, where the type alone would mislead
 */
const BY_DETAILS = Object.freeze({
  manifestIncompatibleCodecsError: 'codec',
  bufferAddCodecError: 'codec',
  bufferIncompatibleCodecsError: 'codec',
  manifestParsingError: 'stop',
  levelEmptyError: 'reload',
  levelParsingError: 'reload',
});

/** @type {Readonly<Record<string, Action>>} */
const BY_TYPE = Object.freeze({
  networkError: 'reload',
  mediaError: 'recover',
  muxError: 'recover',
});

/**
 * @param {{ type: string, details: string, fatal: boolean }} error
 * @returns {Action}
 */
export function actionFor(error) {
  if (!error.fatal) return 'ignore';
  return BY_DETAILS[error.details] ?? BY_TYPE[error.type] ?? 'stop';
}

/** The words (of `words.js`) for an action that ends playback. */
export const CODES = Object.freeze({ codec: 'codec-unsupported', stop: 'media-broken' });

/** Counts what may happen only so often: a fault that comes back at once must end in words, not in a loop. */
export class Budget {
  /** @type {number[]} */
  #spent = [];

  /**
   * @param {number} limit
   * @param {number} windowMs
   */
  constructor(limit, windowMs) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  /**
   * @param {number} now   milliseconds
   * @returns {boolean} false when the limit within the window is reached
   */
  spend(now) {
    this.#spent = this.#spent.filter((at) => now - at < this.windowMs);
    if (this.#spent.length >= this.limit) return false;
    this.#spent.push(now);
    return true;
  }
}
