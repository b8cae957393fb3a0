/** Where the page stands on its way to a picture: a state machine, as a table. */

/**
 * asking       wants the manifest
 * waiting      the server has nothing to play yet
 * open         the engine has the playlist: plays, is paused, or is about to
 * interrupted  a live stream's publisher is gone, and may return
 * lost         no connection; trying again
 * ended        a live stream is over; looking for the next broadcast
 * failed       it will not work without the viewer
 * @typedef {'asking' | 'waiting' | 'open' | 'interrupted' | 'lost' | 'ended' | 'failed'} Phase
 */

/**
 * @typedef {(
 *   'wait' | 'playable' | 'interrupted' | 'resumed' | 'lost' | 'ended' | 'problem' | 'retry'
 * )} Happening
 */

/**
 * What is not listed changes nothing.
 * @type {Readonly<Record<Phase, Readonly<Partial<Record<Happening, Phase>>>>>}
 */
export const NEXT = Object.freeze({
  asking: { wait: 'waiting', playable: 'open', lost: 'lost', problem: 'failed' },
  waiting: { playable: 'open', lost: 'lost', problem: 'failed' },
  open: { interrupted: 'interrupted', lost: 'lost', ended: 'ended', problem: 'failed' },
  interrupted: { resumed: 'open', playable: 'open', lost: 'lost', ended: 'ended', problem: 'failed' },
  lost: { wait: 'waiting', playable: 'open', ended: 'ended', problem: 'failed' },
  ended: { playable: 'open' },
  failed: { retry: 'asking' },
});

/**
 * @param {Phase} phase
 * @param {Happening} happening
 * @returns {Phase}
 */
export function nextPhase(phase, happening) {
  return NEXT[phase][happening] ?? phase;
}
