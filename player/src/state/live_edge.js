/**
 * In charge of a live viewer's place: runs the catch-up loop on the media element, tells when the stream
 * (not the network) has nothing new, and carries out the viewer's wishes to go back or to return to live.
 */
import { Following, LatencyTarget, isInterrupted, nextAction, shownDelay } from '../engine/catch_up.js';

/** Often enough to hold the target within a frame or two, rarely enough to cost nothing. */
export const TICK_MS = 100;
/** One jump must have landed before the next is judged. */
const SEEK_PAUSE_MS = 2_000;
/** Jumps forward shorter than this gain nothing. */
const MIN_SEEK_S = 0.5;

/**
 * @typedef {object} LiveSource   the part of an engine that this module needs
 * @property {boolean} live
 * @property {number | null} latency
 * @property {number | null} targetLatency
 * @property {number | null} clockDelay
 * @property {number | null} liveSyncPosition
 */

/**
 * @typedef {Pick<HTMLVideoElement,
 *   'currentTime' | 'playbackRate' | 'paused' | 'seeking' | 'readyState' | 'buffered'>} Media
 */

export class LiveEdge {
  following = new Following();
  /** Times that playback stopped for lack of media, seeks and the start not counted. */
  stalls = 0;
  #target = new LatencyTarget();
  #seekAfter = 0;
  /** @type {number | null} */
  #stalledAt = null;
  #advancedAt = 0;
  #interrupted = false;

  /**
   * @param {Media} media
   * @param {() => LiveSource | null} source
   * @param {{ interrupted: () => void, resumed: () => void }} events
   */
  constructor(media, source, events) {
    this.media = media;
    this.source = source;
    this.events = events;
  }

  /** @param {number} now   milliseconds; called every TICK_MS */
  tick(now) {
    const source = this.source();
    const late = this.#late(now);
    if (source === null || late === null) return;
    this.#watchForInterruption(now);
    if (this.media.paused || this.media.seeking) return;
    this.following.playing(late);
    if (this.following.on) this.#approach(source, now);
  }

  /**
   * @param {LiveSource} source
   * @param {number} now
   */
  #approach(source, now) {
    const { latency, targetLatency, liveSyncPosition } = source;
    if (latency === null || targetLatency === null) return;
    const target = this.#target.value(targetLatency, now);
    const action = nextAction({ latency, target, buffer: bufferAhead(this.media) });
    if ('seek' in action) this.#jump(liveSyncPosition, now);
    else if (this.media.playbackRate !== action.rate) this.media.playbackRate = action.rate;
  }

  /**
   * @param {number | null} position
   * @param {number} now
   */
  #jump(position, now) {
    if (position === null || now < this.#seekAfter || position - this.media.currentTime < MIN_SEEK_S) return;
    this.#seekAfter = now + SEEK_PAUSE_MS;
    this.media.currentTime = position;
    this.media.playbackRate = 1;
  }

  /** @param {number} now */
  #watchForInterruption(now) {
    if (this.#interrupted || !isInterrupted(this.stalledMs(now), now - this.#advancedAt)) return;
    this.#interrupted = true;
    this.events.interrupted();
  }

  /**
   * @param {number} now
   * @returns {number} for how long playback has stood still for lack of media; 0 while it moves
   */
  stalledMs(now) {
    return this.#stalledAt === null ? 0 : now - this.#stalledAt;
  }

  /** @param {number} now   the playlist grew */
  advanced(now) {
    this.#advancedAt = now;
  }

  /** @param {number} now   the media element ran out of media */
  stalled(now) {
    if (this.media.seeking || this.#stalledAt !== null) return;
    this.stalls += 1;
    this.#stalledAt = now;
  }

  /** @param {number} now   pictures move (again) */
  moving(now) {
    // Only a stall that more buffer would have bridged is a reason to stay further behind.
    if (this.#stalledAt !== null && !this.#interrupted && this.source()?.live) this.#target.stalled(now);
    this.#stalledAt = null;
    if (!this.#interrupted) return;
    this.#interrupted = false;
    this.events.resumed();
  }

  /**
   * A new source: what was known of the old one's stalls is worth nothing.
   * @param {boolean} live   it starts at the live edge
   */
  reset(live) {
    if (live) this.following.live();
    this.#stalledAt = null;
    this.#interrupted = false;
    this.#seekAfter = 0;
  }

  /**
   * The viewer seeks.
   * @param {number} time   media time in seconds
   * @returns {number} where to go: never past the place that live playback would be at
   */
  sought(time) {
    const position = this.source()?.liveSyncPosition ?? null;
    if (position === null) return time;
    this.following.sought(position - time);
    this.media.playbackRate = 1;
    return Math.min(time, position);
  }

  /** @returns {number | null} where to go, for a viewer who wants to be live again */
  goLive() {
    this.following.live();
    this.media.playbackRate = 1;
    return this.source()?.liveSyncPosition ?? null;
  }

  /** @param {number} now   the viewer presses play */
  resumed(now) {
    const late = this.#late(now);
    if (late !== null) this.following.resumed(late);
  }

  paused() {
    if (this.source()?.live) this.following.paused();
  }

  /**
   * @param {number} now
   * @returns {number | null} seconds behind the target
   */
  #late(now) {
    const source = this.source();
    if (!source || source.latency === null || source.targetLatency === null) return null;
    return source.latency - this.#target.value(source.targetLatency, now);
  }

  /** @returns {{ following: boolean, delayS: number, behindS: number } | null} null when not live */
  status() {
    const source = this.source();
    if (!source?.live || source.latency === null) return null;
    return {
      following: this.following.on,
      delayS: shownDelay(source.clockDelay, source.latency),
      behindS: Math.max(0, (source.liveSyncPosition ?? 0) - this.media.currentTime),
    };
  }
}

/**
 * @param {Media} media
 * @returns {number} seconds of media ready after the playing position
 */
export function bufferAhead(media) {
  const { buffered, currentTime } = media;
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}
