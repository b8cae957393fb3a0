/**
 * In charge of what media-chrome reads from a media element and a plain <video> lacks: the list of
 * renditions, the kind of stream and the live edge.
 */

/** @typedef {import('../engine/hls.js').Level} Level */

/** An array-like list with the events that media-chrome's quality menu listens to. */
export class Renditions extends EventTarget {
  /** @type {Level[]} */
  #levels = [];
  #chosen = -1;
  /** @type {(index: number) => void} */
  onchoose = () => {};

  get length() {
    return this.#levels.length;
  }

  [Symbol.iterator]() {
    return this.#levels[Symbol.iterator]();
  }

  /** -1: automatic */
  get selectedIndex() {
    return this.#chosen;
  }

  set selectedIndex(index) {
    this.#chosen = index;
    this.onchoose(index);
    this.dispatchEvent(new Event('change'));
  }

  /**
   * @param {Level[]} levels   a single one is no choice, and is not offered
   * @param {number} chosen   -1: automatic
   */
  replace(levels, chosen) {
    for (let i = 0; i < this.#levels.length; i++) Reflect.deleteProperty(this, i);
    this.#levels = levels.length > 1 ? levels : [];
    this.#chosen = chosen;
    this.#levels.forEach((level, i) => Object.defineProperty(this, i, { value: level, configurable: true }));
    this.dispatchEvent(new Event(this.#levels.length > 0 ? 'addrendition' : 'removerendition'));
    this.dispatchEvent(new Event('change'));
  }
}

/** Within this of the place that live playback would be at, the viewer is live. */
const LIVE_S = 3;

/**
 * Puts the missing properties on the element, before media-chrome looks at it.
 * @param {HTMLVideoElement} video
 * @param {boolean} live
 * @param {() => number | null} livePosition   media time of live playback; null: not on air
 * @returns {Renditions}
 */
export function describeMedia(video, live, livePosition) {
  const renditions = new Renditions();
  /** @returns {TimeRanges} the browser's own */
  const seekable = () => Reflect.get(HTMLMediaElement.prototype, 'seekable', video);
  Object.defineProperties(video, {
    videoRenditions: { value: renditions },
    streamType: { value: live ? 'live' : 'on-demand' },
    targetLiveWindow: { value: live ? Infinity : NaN }, // Infinity: a past to seek in
    liveEdgeStart: { get: () => (livePosition() ?? NaN) - LIVE_S },
    seekable: { get: () => seekableRange(seekable(), livePosition(), video.currentTime) },
  });
  return renditions;
}

/**
 * The right end of a live seek bar is the place where a live viewer is, not the last byte received: else
 * the bar of a young stream would show somebody who is as live as can be in the middle.
 * @param {TimeRanges} range
 * @param {number | null} livePosition
 * @param {number} currentTime
 * @returns {TimeRanges | { length: number, start: () => number, end: () => number }}
 */
export function seekableRange(range, livePosition, currentTime) {
  if (livePosition === null || range.length === 0) return range;
  return { length: 1, start: () => range.start(0), end: () => Math.max(livePosition, currentTime) };
}
