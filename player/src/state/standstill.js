/** In charge of noticing a live picture that stands still while the stream goes on: it must start afresh. */

/** Longer than any stall that comes back by itself: a server restart, a change of network. */
const STUCK_MS = 15_000;

export class Standstill {
  #time = NaN;
  #since = 0;

  /**
   * @param {number} time   media time in seconds
   * @param {boolean} may   it may stand still: paused, or nothing to play
   * @param {number} now   milliseconds; called often
   * @returns {boolean} true once for each such span of standing still
   */
  isStuck(time, may, now) {
    const moved = may || time !== this.#time;
    const stuck = !moved && now - this.#since > STUCK_MS;
    if (moved || stuck) this.#since = now;
    this.#time = time;
    return stuck;
  }
}
