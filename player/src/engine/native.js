/**
 * In charge of browsers that play HLS themselves and cannot run hls.js (iPhones before iOS 17.1): the same
 * outside as HlsEngine, with what the media element alone can tell.
 */

/** @typedef {import('./hls.js').EngineEvents} EngineEvents */

/** MediaError.code → what to do; 2 is the network, 3 decoding, 4 a source that is not understood. */
const BY_CODE = Object.freeze({ 2: 'lost', 3: 'media-broken', 4: 'codec-unsupported' });

export class NativeEngine {
  /** @param {HTMLVideoElement} video */
  static supported(video) {
    return video.canPlayType('application/vnd.apple.mpegurl') !== '';
  }

  #abort = new AbortController();
  #outdated = false;
  #settled = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {import('./manifest.js').Source} source
   * @param {import('./hls.js').EngineOptions} options
   * @param {EngineEvents} events
   */
  constructor(video, source, options, events) {
    this.video = video;
    this.options = options;
    const { signal } = this.#abort;
    video.addEventListener('loadedmetadata', () => {
      if (options.startPosition > 0) video.currentTime = options.startPosition;
    }, { signal, once: true });
    video.addEventListener('error', () => this.#onError(events), { signal });
    video.addEventListener('ended', () => {
      if (options.live) events.finished();
    }, { signal });
    video.src = source.url;
    events.levels([]);
    events.playable();
    for (const event of ['pause', 'seeking', 'waiting']) {
      video.addEventListener(event, () => this.#renew(), { signal });
    }
    if (options.captions) this.#choose(options.captions);
  }

  /** @param {string} language   or `off` */
  #choose(language) {
    const { textTracks } = this.video;
    textTracks.addEventListener('addtrack', ({ track }) => {
      if (track === null || !['captions', 'subtitles'].includes(track.kind)) return;
      track.mode = track.language === language ? 'showing' : 'disabled';
    }, { signal: this.#abort.signal });
  }

  /**
   * A playlist that lists more is read only by loading it all anew, which is seen: once, when all of it is
   * made, and when the viewer pauses, seeks or waits anyway.
   * @param {import('./manifest.js').Source} source
   * @param {boolean} more
   */
  extend(source, more) {
    this.#outdated ||= more;
    this.#settled = source.growing === null;
    if (this.video.paused) this.#renew();
  }

  #renew() {
    if (!this.#outdated || !this.#settled) return;
    this.#outdated = false;
    const { video } = this;
    const { currentTime, paused, src } = video;
    video.addEventListener('loadedmetadata', () => {
      video.currentTime = currentTime;
    }, { once: true, signal: this.#abort.signal });
    video.src = src;
    if (!paused) void video.play().catch(() => {});
  }

  /** @param {EngineEvents} events */
  #onError(events) {
    const code = this.video.error?.code ?? 0;
    events.note(`media error ${code}`);
    const meaning = BY_CODE[/** @type {keyof typeof BY_CODE} */ (code)] ?? 'media-broken';
    if (meaning === 'lost') events.lost();
    else events.problem(meaning);
  }

  startLoad() {}

  get chosenLevel() {
    return -1;
  }

  chooseLevel() {}

  get live() {
    return this.options.live && this.video.duration === Infinity;
  }

  get latency() {
    const position = this.liveSyncPosition;
    return position === null ? null : Math.max(0, position - this.video.currentTime);
  }

  /** The end of the seekable range is already as close as the browser goes. */
  get targetLatency() {
    return this.live ? 0 : null;
  }

  /** @returns {number | null} */
  get clockDelay() {
    const video = /** @type {HTMLVideoElement & { getStartDate?: () => Date }} */ (this.video);
    const start = video.getStartDate?.().getTime();
    return start ? (Date.now() - start) / 1000 - video.currentTime : null;
  }

  get liveSyncPosition() {
    if (!this.live) return null;
    // The browser's own range, not the one that ends where this very position says (ui/media.js).
    /** @type {TimeRanges} */
    const seekable = Reflect.get(HTMLMediaElement.prototype, 'seekable', this.video);
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
  }

  destroy() {
    this.#abort.abort();
    this.video.removeAttribute('src');
    this.video.load();
  }
}
