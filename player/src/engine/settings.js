/** How hls.js is set up: for our media, for live and for videos, and for those that still grow. Pure. */
import { prefetchedLoader } from './prefetched.js';

/** Enough for replays of the last words; a live picture of hours must not pile up in memory. */
const BACK_BUFFER_S = 60;

/** While better renditions are being made, what is fetched far ahead would be seen in the quality of now. */
export const GROWING_BUFFER_S = 12;
/** hls.js's own limit, where its limit in bytes leaves room. */
export const WHOLE_BUFFER_S = 600;

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
 * @param {import('./manifest.js').Source} source
 * @param {import('./hls.js').EngineOptions} options
 * @returns {Partial<import('hls.js').HlsConfig>}
 */
export function settings(source, options) {
  return {
    // Our media is fMP4, which needs no transmuxing: a worker would only add a hop to every part.
    enableWorker: false,
    autoStartLoad: options.startLoad,
    // A playlist that grows is live to hls.js, but not to who watches a video from its beginning.
    startPosition: options.live ? options.startPosition : Math.max(0, options.startPosition),
    maxMaxBufferLength: source.growing ? GROWING_BUFFER_S : WHOLE_BUFFER_S,
    backBufferLength: BACK_BUFFER_S,
    capLevelToPlayerSize: true,
    pLoader: prefetchedLoader(source),
    playlistLoadPolicy: patience(15),
    liveDurationInfinity: options.live,
    lowLatencyMode: true,
    // The catch-up loop owns the playing speed and the target.
    maxLiveSyncPlaybackRate: 1,
    liveSyncOnStallIncrease: 0,
    // `off` is nobody's language
    ...(options.captions ? { subtitlePreference: { lang: options.captions } } : {}),
    ...(options.live && options.targetLatency ? { liveSyncDuration: options.targetLatency } : {}),
    interstitialsController: undefined,
    cmcdController: undefined,
    emeController: undefined,
  };
}
