/** In charge of `window.sluice`: a read-only look at the player for tests, and for whoever debugs a page. */

/**
 * @typedef {object} Exposed
 * @property {string} phase
 * @property {number | null} latency   seconds behind the live edge
 * @property {number | null} target   seconds behind the live edge that the playlist asks for
 * @property {number | null} delay   seconds since the picture reached the server; what the badge shows
 * @property {boolean | null} following   false when a live viewer has gone back in time
 * @property {number} rate
 * @property {number} stalls
 * @property {string[]} errors   of the engine, the harmless ones too
 * @property {number} level   index of the level playing, -1 before the first
 * @property {number | null} firstFrameMs   from the start of the navigation
 */

/**
 * @param {Window} target
 * @param {HTMLVideoElement} video
 * @param {import('./player.js').Player} player
 */
export function exposeState(target, video, player) {
  /** @type {number | null} */
  let firstFrameMs = null;
  const seen = () => {
    firstFrameMs ??= Math.round(performance.now());
  };
  if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(seen);
  else /** @type {HTMLVideoElement} */ (video).addEventListener('playing', seen, { once: true });

  /** @type {Exposed} */
  const exposed = Object.freeze({
    get phase() { return player.phase; },
    get latency() { return player.engine?.latency ?? null; },
    get target() { return player.engine?.targetLatency ?? null; },
    get delay() { return player.edge.status()?.delayS ?? null; },
    get following() { return player.edge.status()?.following ?? null; },
    get rate() { return video.playbackRate; },
    get stalls() { return player.edge.stalls; },
    get errors() { return [...player.notes]; },
    get level() { return player.level; },
    get firstFrameMs() { return firstFrameMs; },
  });
  Object.defineProperty(target, 'sluice', { value: Object.freeze({ player: exposed }) });
}
