/**
 * Every sentence a viewer can read, in one place: what the page says in each phase, and what each
 * problem means to somebody who only wants to watch.
 */

/**
 * @typedef {object} Notice
 * @property {string} title
 * @property {string} detail
 */

/** @type {Record<string, Notice & { retry: boolean }>} keyed by the server's error codes and our own */
const PROBLEMS = {
  'playback-token-missing': {
    title: 'This video is private',
    detail: 'Open it from the page that shared it with you.',
    retry: false,
  },
  'playback-token-invalid': {
    title: 'This link does not work',
    detail: 'Open the video again from the page that shared it with you.',
    retry: false,
  },
  'playback-token-expired': {
    title: 'This link has expired',
    detail: 'Reload the page that shared it with you to get a new one.',
    retry: false,
  },
  'playback-blocked': {
    title: 'You can’t watch this here',
    detail: 'The owner does not allow playback from this place.',
    retry: false,
  },
  'resource-not-found': {
    title: 'Nothing to watch here',
    detail: 'The video does not exist or has been removed.',
    retry: false,
  },
  'video-failed': {
    title: 'This video can’t be played',
    detail: 'Something went wrong while it was prepared.',
    retry: false,
  },
  'codec-unsupported': {
    title: 'This browser can’t play the video',
    detail: 'It does not know the format. Another browser may.',
    retry: false,
  },
  'media-broken': {
    title: 'Playback stopped',
    detail: 'A part of the video could not be decoded.',
    retry: true,
  },
  'too-many-requests': {
    title: 'Too many viewers right now',
    detail: 'Wait a moment, then try again.',
    retry: true,
  },
  'server-failed': {
    title: 'The video can’t be reached',
    detail: 'The server failed to answer.',
    retry: true,
  },
  'page-broken': {
    title: 'The player could not start',
    detail: 'The page arrived incomplete.',
    retry: false,
  },
};

/** Codes that the server has and that mean the same to a viewer as one above. */
const SAME = Object.freeze({
  forbidden: 'playback-blocked',
  'unrecognized-request-url': 'resource-not-found',
  unavailable: 'server-failed',
  'internal-error': 'server-failed',
});

/** For a status whose body named no code that we know. */
const BY_STATUS = Object.freeze({
  401: 'playback-token-missing',
  403: 'playback-blocked',
  404: 'resource-not-found',
  410: 'resource-not-found',
  422: 'video-failed',
  429: 'too-many-requests',
});

/**
 * @param {import('./config.js').Problem} problem
 * @param {number} [status]   HTTP status it came with
 * @returns {Notice & { retry: boolean }}
 */
export function problemWords(problem, status = 0) {
  const code = own(SAME, problem.code) ?? problem.code;
  const known = own(PROBLEMS, code) ?? PROBLEMS[own(BY_STATUS, String(status)) ?? ''];
  if (known && code === 'resource-not-found') return { ...known, detail: problem.detail ?? known.detail };
  if (known) return known;
  const unknown = /** @type {Notice & { retry: boolean }} */ (PROBLEMS['server-failed']);
  return { ...unknown, title: problem.title || unknown.title, detail: problem.detail ?? unknown.detail };
}

/** @typedef {'waiting' | 'interrupted' | 'lost' | 'ended'} Noticed */

/** @type {Readonly<Record<Noticed, Readonly<Record<'vod' | 'live', Notice>>>>} */
export const NOTICES = Object.freeze({
  waiting: {
    vod: { title: 'The video is being prepared', detail: 'It starts here as soon as it is ready.' },
    live: { title: 'The stream is not on air', detail: 'It starts here as soon as it is on air.' },
  },
  interrupted: {
    vod: { title: 'Waiting for the video', detail: '' },
    live: { title: 'The stream was interrupted', detail: 'It goes on here as soon as it is back.' },
  },
  lost: {
    vod: { title: 'The server can’t be reached', detail: 'Trying again…' },
    live: { title: 'The server can’t be reached', detail: 'Trying again…' },
  },
  ended: {
    vod: { title: 'The video has ended', detail: '' },
    live: { title: 'The live stream has ended', detail: '' },
  },
});

export const RETRY = 'Try again';
export const UNMUTE = 'Unmute';
export const CHAPTERS = 'Chapters';
export const CLOSE = 'Close';
export const LINKS = 'Links';

/**
 * @param {number} seconds
 * @returns {string} `1.1 s`: how far behind the sender the picture is
 */
export function delayWords(seconds) {
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/**
 * @param {number} seconds
 * @returns {string} `−1:05`: how far behind live a viewer of the past is
 */
export function behindWords(seconds) {
  return `−${clockWords(seconds)}`;
}

/**
 * @param {number} seconds
 * @returns {string} `1:05`: a place in a video
 */
export function clockWords(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  return `${h ? `${h}:${two(m)}` : m}:${two(s)}`;
}

/**
 * @template T
 * @param {Readonly<Record<string, T>>} table
 * @param {string} key   may come from the network: never answers with what Object.prototype holds
 * @returns {T | undefined}
 */
function own(table, key) {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
