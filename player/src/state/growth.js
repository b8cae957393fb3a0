/** In charge of asking again for the playlist of a video that is watched while more of it is made. */
import { growth } from '../engine/manifest.js';

/** @typedef {import('../engine/manifest.js').Source} Source */

/** A rendition takes seconds to begin. */
const FIRST_S = 2;
const SLOWER = 1.2;
const AT_MOST_S = 10;

/**
 * Ends when all is made, or the source is not watched any more.
 * @param {Source} source
 * @param {Pick<import('./player.js').Means, 'ask' | 'pause' | 'random'>} means
 * @param {() => boolean} isWatched
 * @param {(source: Source, more: boolean) => void} extend
 * @returns {Promise<boolean>} whether the video was given a new source, and must be begun anew
 */
export async function followGrowth(source, means, isWatched, extend) {
  for (let delay = FIRST_S; source.growing; delay = Math.min(AT_MOST_S, delay * SLOWER)) {
    await means.pause(delay * (0.9 + 0.2 * means.random()));
    if (!isWatched()) return false;
    const answer = await means.ask();
    if (!isWatched() || answer.kind === 'problem') return false; // missing media will say so
    if (answer.kind !== 'ready') continue;
    const change = growth(source, answer.source);
    if (change === 'other') return true;
    if (change === 'more') delay = FIRST_S;
    source = answer.source;
    extend(source, change === 'more');
  }
  return false;
}
