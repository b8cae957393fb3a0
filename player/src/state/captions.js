/** In charge of which captions a viewer wants: the choice is remembered for the next video. */
import { nearestLanguage } from '../languages.js';

const KEY = 'sluice-captions';
export const OFF = 'off';
/** Longer than any language tag: not ours. */
const MAX_CHARS = 40;

/** @typedef {Pick<TextTrack, 'kind' | 'language' | 'mode'>} Track */

export class Captions {
  #choice;
  /** @type {string | null} */
  #lastShown = null;

  /**
   * @param {() => Storage} storage   may throw, as a browser does that lets an embedded page keep nothing
   * @param {readonly string[]} languages   of the viewer, the dearest first
   */
  constructor(storage, languages) {
    this.storage = storage;
    this.languages = languages;
    this.#choice = this.#read();
  }

  /** @returns {string | null} a language, `off`, or null: nothing was ever chosen */
  get choice() {
    return this.#choice;
  }

  #read() {
    try {
      const kept = this.storage().getItem(KEY);
      return kept && kept.length <= MAX_CHARS ? kept : null;
    } catch {
      return null;
    }
  }

  /**
   * The viewer has changed what is shown.
   * @param {Iterable<Track>} tracks   all there are
   */
  chosen(tracks) {
    const shown = [...tracks].find((track) => isCaptions(track) && track.mode === 'showing');
    this.#choice = shown?.language ?? OFF;
    try {
      this.storage().setItem(KEY, this.#choice);
    } catch {
      // for this video alone, then
    }
  }

  /**
   * The viewer wants captions where there were none, or the other way round.
   * @param {Iterable<Track>} all
   */
  toggle(all) {
    const tracks = [...all].filter(isCaptions);
    const on = tracks.some((track) => track.mode === 'showing');
    const known = this.#lastShown ? [this.#lastShown] : [];
    const index = nearestLanguage(tracks.map(({ language }) => language), [...known, ...this.languages]);
    this.#lastShown = tracks.find((track) => track.mode === 'showing')?.language ?? null;
    const wanted = on ? undefined : tracks[Math.max(0, index)];
    for (const track of tracks) track.mode = track === wanted ? 'showing' : 'disabled';
    this.chosen(tracks);
  }
}

/** @param {Track} track */
function isCaptions({ kind }) {
  return kind === 'captions' || kind === 'subtitles';
}
