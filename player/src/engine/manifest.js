/**
 * In charge of getting the multivariant playlist before a playback engine sees it: a stream that is not
 * on air and a video that is not ready answer 202 with an empty body, which players take for an error.
 */
import { readProblem } from '../config.js';

/**
 * @typedef {object} Source
 * @property {string} url   where the playlist was found, after redirects: relative addresses start there
 * @property {string} text
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
  return { kind: 'ready', source: { url: response.url || asked, text } };
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
