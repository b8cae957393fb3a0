/** In charge of hls.js: its settings, its events turned into ours, its live edge. Must not know the page. */
import Hls from 'hls.js';
import { Budget, CODES, actionFor } from './errors.js';
import { prefetchedLoader } from './prefetched.js';

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
 */

/** Rebuilding the decoder twice in a minute may help; the third time it is the media. */
const MEDIA_RECOVERIES = 2;
const MEDIA_RECOVERY_WINDOW_MS = 60_000;

/** Enough for replays of the last words; a live picture of hours must not pile up in memory. */
const BACK_BUFFER_S = 60;

/** A blocking reload may be held for three target durations, 12 s at the usual 4 s. */
const PLAYLIST_PATIENCE_MS = 20_000;

/**
 * @param {number} retries
 * @returns {import('hls.js').LoadPolicy}
 */
function patience(retries) {
  // Steady, not slower and slower: hls.js takes the playlist of a stream's first two seconds, which has parts
  // but no whole segment yet, for an error.
  /** @type {import('hls.js').RetryConfig} */
  const again = { maxNumRetry: retries, retryDelayMs: 400, maxRetryDelayMs: 400, backoff: 'linear' };
  return {
    default: {
      maxTimeToFirstByteMs: PLAYLIST_PATIENCE_MS,
      maxLoadTimeMs: PLAYLIST_PATIENCE_MS * 2,
      timeoutRetry: { ...again, retryDelayMs: 0 },
      errorRetry: again,
    },
  };
}

/**
 * @param {Source} source
 * @param {EngineOptions} options
 * @returns {Partial<import('hls.js').HlsConfig>}
 */
function settings(source, options) {
  return {
    // Our media is fMP4, which needs no transmuxing: a worker would only add a hop to every part.
    enableWorker: false,
    autoStartLoad: options.startLoad,
    startPosition: options.startPosition,
    backBufferLength: BACK_BUFFER_S,
    capLevelToPlayerSize: true,
    pLoader: prefetchedLoader(source),
    playlistLoadPolicy: patience(15),
    liveDurationInfinity: true,
    lowLatencyMode: true,
    // The catch-up loop owns the playing speed and the target.
    maxLiveSyncPlaybackRate: 1,
    liveSyncOnStallIncrease: 0,
    ...(options.live && options.targetLatency ? { liveSyncDuration: options.targetLatency } : {}),
    interstitialsController: undefined,
    cmcdController: undefined,
    emeController: undefined,
  };
}

export class HlsEngine {
  static supported() {
    return Hls.isSupported();
  }

  #mediaRecoveries = new Budget(MEDIA_RECOVERIES, MEDIA_RECOVERY_WINDOW_MS);
  #finished = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {Source} source
   * @param {EngineOptions} options
   * @param {EngineEvents} events
   */
  constructor(video, source, options, events) {
    this.options = options;
    this.events = events;
    this.hls = new Hls(settings(source, options));
    this.#listen();
    this.hls.loadSource(source.url);
    this.hls.attachMedia(video);
  }

  #listen() {
    const { hls, events } = this;
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#announceLevels();
      events.playable();
    });
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => events.level(level));
    hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
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

  /** @param {import('hls.js').ErrorData} error */
  #onError(error) {
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
    this.hls.nextLevel = index;
  }

  /** Whether the stream is on air, as far as its playlist says. */
  get live() {
    return this.hls.latestLevelDetails?.live ?? false;
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
