/**
 * In charge of getting the multivariant playlist before a playback engine sees it: a stream that is not
 * on air and a video that is not ready answer 202 with an empty body, which players take for an error.
 */
import { readProblem } from '../config.js';

/**
 * @typedef {object} Source
 * @property {string} url   where the playlist was found, after redirects: relative addresses start there
 * @property {string} text
 * @property {import('./pace.js').Growing | null} growing   more will come; null: it stays as it is
 */

/**
 * @typedef {(
 *   | { kind: 'ready', source: Source }
 *   | { kind: 'wait', afterS: number | null }
 *   | { kind: 'lost', afterS: number | null }
 *   | { kind: 'problem', problem: import('../config.js').Problem, status: number }
 * )} Answer
 */

const FIRST_DELAY_S = 1;
const DELAY_GROWTH = 1.4;
/** A server or a broadcast that is back is seen this soon, however long the page has waited. */
const MAX_DELAY_S = 5;
/** The server's Retry-After may ask for more patience than ours, but not for a dead page. */
const MAX_RETRY_AFTER_S = 60;
/** Viewers who wait for the same stream must not all ask in the same moment. */
const JITTER = 0.2;
/** Longer playlists than this are not ours: a hundred renditions with long tokens stay far below. */
const MAX_PLAYLIST_CHARS = 1_000_000;
/** A manifest is a small file: a server that has not sent it by now is as good as gone. */
const TIMEOUT_MS = 15_000;

/** A line that is an address, or an attribute that holds one. */
const ADDRESS = /^[^#\s].*$|URI="[^"]*"/gm;

/**
 * Asks once.
 * @param {string} url
 * @param {typeof fetch} fetchFn
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export async function askManifest(url, fetchFn, signal) {
  try {
    const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
    const response = await fetchFn(url, { cache: 'no-store', signal: anySignal(limits) });
    return await readAnswer(response, url);
  } catch {
    return { kind: 'lost', afterS: null };
  }
}

/**
 * @param {Response} response
 * @param {string} asked
 * @returns {Promise<Answer>}
 */
async function readAnswer(response, asked) {
  const { status } = response;
  const afterS = retryAfter(response.headers.get('Retry-After'));
  if (status === 202) return { kind: 'wait', afterS };
  if (status === 429 || status >= 500) return { kind: 'lost', afterS };
  const text = await response.text();
  if (status !== 200) return { kind: 'problem', problem: problemIn(text), status };
  if (!text.startsWith('#EXTM3U') || text.length > MAX_PLAYLIST_CHARS) {
    return { kind: 'problem', problem: { code: 'server-failed', title: '', detail: null }, status };
  }
  const growing = growingRenditions(response.headers.get('Sluice-Growing'));
  return { kind: 'ready', source: { url: response.url || asked, text, growing } };
}

/**
 * How long to wait before the next try.
 * @param {number} attempt   0 for the first
 * @param {number | null} afterS   the server's wish, if it had one
 * @param {number} random   0 … 1
 * @returns {number} seconds
 */
export function delayS(attempt, afterS, random) {
  const own = Math.min(MAX_DELAY_S, FIRST_DELAY_S * DELAY_GROWTH ** attempt);
  return (afterS ?? own) * (1 + JITTER * random);
}

/**
 * Whether two multivariant playlists are of the same broadcast: they list the same addresses (which hold the
 * broadcast's id), whatever bit rates have been measured meanwhile.
 * @param {Source} one
 * @param {Source} other
 */
export function isSameBroadcast(one, other) {
  const addresses = (/** @type {Source} */ { text }) => text.match(ADDRESS)?.sort().join('\n');
  return addresses(one) === addresses(other);
}

/**
 * What became of a video's playlist while more was made of it.
 * @param {Source} before
 * @param {Source} now
 * @returns {'same' | 'more' | 'other'}   other: it is about different media, of a new source
 */
export function growth(before, now) {
  const known = new Set(before.text.match(ADDRESS));
  const found = now.text.match(ADDRESS) ?? [];
  if (!found.some((address) => known.has(address))) return 'other';
  return found.length === known.size && found.every((address) => known.has(address)) ? 'same' : 'more';
}

/**
 * @param {string | null} header   `240p=8.5 480p=2`: renditions, and seconds that are made of each; or `1`
 *   where none of those listed grows
 */
function growingRenditions(header) {
  if (header === null) return null;
  return Object.fromEntries([...header.matchAll(/([\w-]+)=([\d.]+)/g)].map(([, name, made]) => (
    [name ?? '', Number(made)]
  )));
}

/** @param {string | null} header   seconds; the date form is not used by our server */
function retryAfter(header) {
  const seconds = header === null || header.trim() === '' ? NaN : Number(header);
  return seconds >= 0 ? Math.min(Math.max(seconds, 0.5), MAX_RETRY_AFTER_S) : null;
}

/** @param {string} text */
function problemIn(text) {
  try {
    return readProblem(JSON.parse(text));
  } catch {
    return readProblem(null);
  }
}

/**
 * `AbortSignal.any`, which Safari has only since 17.4.
 * @param {AbortSignal[]} signals
 */
function anySignal(signals) {
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}
