/** Which renditions of a video are far enough ahead of its viewer while they are still being made. Pure. */

/** So much must be made that a viewer has not seen yet: less may be watched faster than the rest is made. */
const AHEAD_S = 12;
/** With so little left, one that is further is better. */
const STARVING_S = 5;

/**
 * Seconds that are made of renditions that are not whole.
 * @typedef {Readonly<Record<string, number>>} Growing
 */

/**
 * @param {readonly string[]} names   of renditions
 * @param {Growing} growing
 * @param {number} time   where the viewer is, seconds
 * @returns {Set<string>} those that are whole or well ahead; else those that have got furthest
 */
export function worthOffering(names, growing, time) {
  const made = (/** @type {string} */ name) => growing[name] ?? Infinity;
  const furthest = Math.max(...names.map(made));
  return new Set(names.filter((name) => made(name) >= Math.min(furthest, time + AHEAD_S)));
}

/**
 * @param {string} name   of the rendition that is watched
 * @param {number} edge   seconds that are made of it
 * @param {readonly string[]} names   of all that can be watched
 * @param {Growing} growing
 * @param {number} time
 * @returns {boolean} whether to leave it, for another is further
 */
export function isLeftBehind(name, edge, names, growing, time) {
  if (!(name in growing) || edge - time > STARVING_S) return false;
  return names.some((other) => other !== name && (growing[other] ?? Infinity) > edge);
}

/** @param {string} uri   of a media playlist: its folder is the rendition */
export function renditionOf(uri) {
  return uri.split('/').at(-2) ?? '';
}

/** @param {string} text   a multivariant playlist */
export function renditionsIn(text) {
  return [...text.matchAll(/^#EXT-X-STREAM-INF:.*\s+(\S+)$/gm)].map(([, uri]) => renditionOf(uri ?? ''));
}
