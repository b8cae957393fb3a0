/** In charge of hls.js: its settings, its events turned into ours, its live edge. Must not know the page. */
import Hls from 'hls.js';
import { Budget, CODES, actionFor } from './errors.js';
import { Heir } from './heir.js';
import { OnDemandHls } from './on_demand.js';
import { isLeftBehind, renditionOf, renditionsIn, worthOffering } from './pace.js';
import { GROWING_BUFFER_S, WHOLE_BUFFER_S, settings } from './settings.js';

/** @typedef {import('./manifest.js').Source} Source */

/**
 * @typedef {object} Level
 * @property {string} id
 * @property {number} width
 * @property {number} height
 * @property {number} bitrate   bits per second
 */

/**
 * What an engine tells. After `lost`, `problem` or `ended` the owner decides what comes next.
 * @typedef {object} EngineEvents
 * @property {() => void} playable   the playlist was understood
 * @property {(levels: Level[]) => void} levels
 * @property {(index: number) => void} level   the level now playing
 * @property {() => void} advanced   the live playlist grew
 * @property {() => void} finished   the live playlist will not grow any more
 * @property {() => void} lost   the network or the server failed
 * @property {(code: string) => void} problem
 * @property {(text: string) => void} note   an error, fatal or not, for whoever looks for the reason
 */

/**
 * @typedef {object} EngineOptions
 * @property {boolean} live
 * @property {number | null} targetLatency   seconds
 * @property {number} startPosition   seconds; -1: the live edge, or the beginning
 * @property {number | null} quality   height to stay at
 * @property {boolean} startLoad   fetch media at once, not when asked by `startLoad()`
 * @property {string | null} captions   language to show, `off`, or null: what the playlist says
 */

/** Rebuilding the decoder twice in a minute may help; the third time it is the media. */
const MEDIA_RECOVERIES = 2;
const MEDIA_RECOVERY_WINDOW_MS = 60_000;

export class HlsEngine {
  static supported() {
    return Hls.isSupported();
  }

  #mediaRecoveries = new Budget(MEDIA_RECOVERIES, MEDIA_RECOVERY_WINDOW_MS);
  #finished = false;
  /** The playlist lists more than hls.js has read, levels aside. */
  #outdated = false;
  /** @type {Heir | null} */
  #heir = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {Source} source
   * @param {EngineOptions} options
   * @param {EngineEvents} events
   */
  constructor(video, source, options, events) {
    this.video = video;
    this.source = source;
    this.options = options;
    this.events = events;
    this.hls = this.#instance();
    this.hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#leaveOut(Math.max(0, options.startPosition));
      this.#announceLevels();
      events.playable();
    });
    this.#listen();
    this.hls.loadSource(source.url);
    this.hls.attachMedia(video);
  }

  /** @param {Partial<import('hls.js').HlsConfig>} [own] */
  #instance(own) {
    const Instance = this.options.live ? Hls : OnDemandHls;
    return new Instance({ ...settings(this.source, this.options), ...own });
  }

  #listen() {
    const { hls, events } = this;
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => events.level(level));
    hls.on(Hls.Events.LEVEL_UPDATED, (_, { details, level }) => {
      if (details.live && !this.options.live) this.#spare(details.edge, level);
      if (details.live && details.advanced) events.advanced();
      if (!details.live && this.options.live && !this.#finished) {
        this.#finished = true;
        events.finished();
      }
    });
    hls.on(Hls.Events.ERROR, (_, error) => this.#onError(error));
  }

  #announceLevels() {
    const levels = this.hls.levels.map(({ width, height, bitrate }, index) => (
      { id: String(index), width, height, bitrate }
    ));
    const wanted = nearestLevel(levels, this.options.quality);
    if (wanted !== -1) this.hls.startLevel = this.hls.loadLevel = wanted;
    this.events.levels(levels);
  }

  /** @returns {string[]} renditions of the levels, in their order */
  get #names() {
    return this.hls.levels.map(({ uri }) => renditionOf(uri));
  }

  /**
   * Takes out the levels that are being made and not far enough.
   * @param {number} time   seconds
   */
  #leaveOut(time) {
    const names = this.#names;
    const offered = worthOffering(names, this.source.growing ?? {}, time);
    for (let i = names.length - 1; i >= 0; i--) {
      if (!offered.has(names[i] ?? '')) this.hls.removeLevel(i);
    }
  }

  /**
   * Leaves a level that is nearly watched to the end of what is made, if another goes on.
   * @param {number} edge   seconds
   * @param {number} index
   */
  #spare(edge, index) {
    const names = this.#names;
    const { video, source } = this;
    if (!isLeftBehind(names[index] ?? '', edge, names, source.growing ?? {}, video.currentTime)) return;
    this.hls.removeLevel(index);
    this.#announceLevels();
  }

  /**
   * Goes on at the same time with a playlist that lists more of the same video: hls.js reads one only once,
   * so a new instance takes over the media element with what is buffered.
   * @param {Source} source
   * @param {boolean} more   it lists more than the one before
   */
  extend(source, more) {
    this.source = source;
    this.#outdated ||= more;
    this.hls.config.maxMaxBufferLength = source.growing ? GROWING_BUFFER_S : WHOLE_BUFFER_S;
    const listed = renditionsIn(source.text);
    const known = this.#names;
    const offered = worthOffering(listed, source.growing ?? {}, this.video.currentTime);
    const better = [...offered].some((name) => !known.includes(name));
    if (better || (this.#outdated && source.growing === null)) this.#renew();
  }

  #renew() {
    this.#outdated = false;
    this.#heir?.destroy();
    this.#heir = new Heir(this.video, this.hls, this.source.url, (own) => this.#instance(own), (hls) => {
      this.#heir = null;
      this.hls = hls;
      this.#listen();
      this.#leaveOut(this.video.currentTime);
      this.#announceLevels();
    });
  }

  /** @param {import('hls.js').ErrorData} error */
  #onError(error) {
    if (error.details === Hls.ErrorDetails.INTERNAL_ABORTED && !error.fatal) return; // not wanted any more
    const status = error.response?.code;
    this.events.note(`${error.details}${status ? ` (${status})` : ''}${error.fatal ? ', fatal' : ''}`);
    const action = actionFor(error);
    if (action === 'recover') this.#recover();
    else if (action === 'reload') this.events.lost();
    else if (action !== 'ignore') this.events.problem(CODES[action]);
  }

  #recover() {
    if (this.#mediaRecoveries.spend(performance.now())) this.hls.recoverMediaError();
    else this.events.problem(CODES.stop);
  }

  /** Begins to fetch media, once; for a page that waits until its viewer presses play. */
  startLoad() {
    if (this.options.startLoad) return;
    this.options.startLoad = true;
    this.hls.startLoad(this.options.startPosition);
  }

  /** @returns {number} index of the level that the viewer chose, -1: automatic */
  get chosenLevel() {
    return this.hls.autoLevelEnabled ? -1 : this.hls.manualLevel;
  }

  /** @param {number} index   -1: automatic */
  chooseLevel(index) {
    this.options.quality = this.hls.levels[index]?.height ?? null;
    this.hls.nextLevel = index;
  }

  /** Whether the stream is on air, as far as its playlist says. */
  get live() {
    return this.options.live && (this.hls.latestLevelDetails?.live ?? false);
  }

  /** @returns {number | null} seconds behind the live edge */
  get latency() {
    return this.live && this.hls.latency > 0 ? this.hls.latency : null;
  }

  /** @returns {number | null} seconds behind the live edge that the playlist asks for */
  get targetLatency() {
    return this.live ? this.hls.targetLatency : null;
  }

  /** @returns {number | null} seconds since the picture reached the server, by this machine's clock */
  get clockDelay() {
    const playing = this.hls.playingDate;
    return this.live && playing ? (Date.now() - playing.getTime()) / 1000 : null;
  }

  /** @returns {number | null} where playback at the target latency would be now */
  get liveSyncPosition() {
    return this.live ? this.hls.liveSyncPosition : null;
  }

  destroy() {
    this.#heir?.destroy();
    this.hls.destroy();
  }
}

/**
 * @param {Level[]} levels
 * @param {number | null} height
 * @returns {number} index of the best level not above the height (the lowest if all are); -1 for null
 */
export function nearestLevel(levels, height) {
  if (height === null || levels.length === 0) return -1;
  const rank = (/** @type {Level} */ level) => (
    level.height <= height ? level.height + level.bitrate / 1e12 : -level.height
  );
  return levels.indexOf(levels.reduce((a, b) => (rank(b) > rank(a) ? b : a)));
}
