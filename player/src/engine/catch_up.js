/**
 * In charge of the distance to live: keeps a viewer who follows a live stream at the target latency.
 *
 * hls.js only speeds up while more than a second is buffered, so it settles a third of a second behind
 * what the playlist allows; at the edge of a low-latency stream less than a second is all there is.
 */

/** Closer than this to the target is on target: measured noise of the live edge estimate is ± 30 ms. */
const TOLERANCE_S = 0.06;
/** Below this the buffer is one part deep and speeding up would stall. */
const MIN_BUFFER_S = 0.25;
/** Faster is heard in voices. */
const MAX_RATE = 1.25;
/** A viewer nearer to live than the target, with a buffer this thin, falls back before the next late part. */
const THIN_BUFFER_S = 0.5;
const EARLY_S = 0.15;
const BACK_RATE = 0.95;
/** Further behind than this, a jump is less annoying than half a minute of hurry. */
const SEEK_BEHIND_S = 3;

/** A viewer who seeks no further back than this wants to be live. */
const LIVE_AGAIN_S = 1;

/** What a stall adds to the target, so that a network with jitter settles where it plays through. */
const STALL_PENALTY_S = 0.25;
const MAX_PENALTY_S = 3;
/** After this long without a stall the penalty shrinks again, at the rate below. */
const FORGIVE_AFTER_MS = 30_000;
const FORGIVE_S_PER_S = 0.01;

/**
 * @typedef {object} Distance
 * @property {number} latency   seconds behind the live edge
 * @property {number} target   seconds wanted
 * @property {number} buffer   seconds ready after the playing position
 */

/**
 * @param {Distance} distance
 * @returns {{ seek: true } | { rate: number }}
 */
export function nextAction({ latency, target, buffer }) {
  const late = latency - target;
  if (late > SEEK_BEHIND_S) return { seek: true };
  if (late < -EARLY_S && buffer < Math.min(THIN_BUFFER_S, target / 2)) return { rate: BACK_RATE };
  if (late <= TOLERANCE_S || buffer <= MIN_BUFFER_S) return { rate: 1 };
  return { rate: Math.min(MAX_RATE, 1 + Math.ceil(late * 20) / 20) };
}

/** The latency to aim at: what the playlist or the page wants, and more for a while after stalls. */
export class LatencyTarget {
  #penaltyS = 0;
  #stalledAt = -Infinity;
  #askedAt = -Infinity;

  /** @param {number} now   milliseconds */
  stalled(now) {
    this.#penaltyS = Math.min(MAX_PENALTY_S, this.#penaltyS + STALL_PENALTY_S);
    this.#stalledAt = now;
  }

  /**
   * @param {number} wantedS
   * @param {number} now   milliseconds, never less than the last time
   * @returns {number} seconds
   */
  value(wantedS, now) {
    const calmSince = Math.max(this.#askedAt, this.#stalledAt + FORGIVE_AFTER_MS);
    if (now > calmSince) {
      this.#penaltyS = Math.max(0, this.#penaltyS - ((now - calmSince) / 1000) * FORGIVE_S_PER_S);
    }
    this.#askedAt = now;
    return wantedS + this.#penaltyS;
  }
}

/**
 * Whether the viewer follows live or has chosen a place in the past (DVR). Only what the viewer does
 * counts: a stall or a browser that paused a hidden page leaves a follower a follower.
 */
export class Following {
  on = true;

  /** @param {number} late   seconds behind the target at the place that the viewer sought */
  sought(late) {
    this.on = late <= LIVE_AGAIN_S;
  }

  paused() {
    this.on = false;
  }

  live() {
    this.on = true;
  }

  /**
   * The past caught up with live: after a short pause, or by playing faster.
   * @param {number} late
   */
  playing(late) {
    if (late <= TOLERANCE_S) this.on = true;
  }

  /** @param {number} late   seconds behind the target when the viewer presses play */
  resumed(late) {
    if (late <= SEEK_BEHIND_S) this.on = true;
  }
}

/** The stream, not the viewer's network, has nothing new: no picture for this long … */
const INTERRUPTED_AFTER_MS = 2_500;
/** … and nothing added to the playlist for this long. */
const SILENT_AFTER_MS = 4_000;

/**
 * @param {number} stalledMs   0 while playing
 * @param {number} sinceAdvanceMs   since the playlist last grew
 */
export function isInterrupted(stalledMs, sinceAdvanceMs) {
  return stalledMs > INTERRUPTED_AFTER_MS && sinceAdvanceMs > SILENT_AFTER_MS;
}

/** A viewer's clock may be wrong by minutes: the date-time in the stream is believed only within this. */
const MAX_CLOCK_ERROR_S = 2;

/**
 * The delay to show: from the date-time the server stamped on the picture, if that is plausible.
 * @param {number | null} byClock   seconds since the playing picture came in, by the viewer's clock
 * @param {number} byEdge   seconds behind the live edge
 */
export function shownDelay(byClock, byEdge) {
  const plausible = byClock !== null && byClock >= 0 && Math.abs(byClock - byEdge) <= MAX_CLOCK_ERROR_S;
  return plausible ? byClock : byEdge;
}
