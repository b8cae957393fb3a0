/**
 * In charge of the way from an address to a picture, and back to it after a failure: asks for the manifest,
 * hands it to an engine, and starts over when the engine gives up, the broadcast ends or the viewer retries.
 */
import { Budget } from '../engine/errors.js';
import { delayS, isSameBroadcast } from '../engine/manifest.js';
import { followGrowth } from './growth.js';
import { LiveEdge } from './live_edge.js';
import { nextPhase } from './phases.js';
import { Standstill } from './standstill.js';

/** @typedef {import('../config.js').Asset} Asset */
/** @typedef {import('../config.js').Options} Options */
/** @typedef {import('../engine/manifest.js').Source} Source */
/** @typedef {import('../engine/hls.js').EngineEvents} EngineEvents */
/** @typedef {import('../engine/hls.js').EngineOptions} EngineOptions */
/** @typedef {import('../engine/hls.js').HlsEngine | import('../engine/native.js').NativeEngine} Engine */
/** @typedef {{ problem: import('../config.js').Problem, status: number }} Failure */

/**
 * @typedef {object} Means   what the player does its work with; tests bring their own
 * @property {HTMLVideoElement} video
 * @property {(source: Source, options: EngineOptions, events: EngineEvents) => Engine} createEngine
 * @property {() => Promise<import('../engine/manifest.js').Answer>} ask
 * @property {(seconds: number) => Promise<void>} pause
 * @property {() => number} now   milliseconds, monotone
 * @property {() => number} random
 * @property {() => string | null} captions   what the viewer chose last: a language, `off`, or null
 */

/**
 * @typedef {object} PlayerEvents
 * @property {(phase: import('./phases.js').Phase, failure: Failure | null) => void} phase
 * @property {(levels: import('../engine/hls.js').Level[], chosen: number) => void} levels   -1: automatic
 * @property {() => void} play   pictures are wanted and can be had
 */

/** How a source came to its end. @typedef {'ended' | 'lost' | 'failed'} End */

/** A server whose manifest works but whose media does not must not be asked for ever. */
const RELOADS = 6;
const RELOAD_WINDOW_MS = 120_000;
/** Where a complete stream ends: hls.js may leave the last hundredths of a second unplayed and not say so. */
const END_S = 0.5;
const END_STALL_MS = 1_000;
const MAX_NOTES = 100; // errors kept for `window.sluice`

export class Player {
  /** @type {import('./phases.js').Phase} */
  phase = 'asking';
  /** @type {Engine | null} */
  engine = null;
  level = -1;
  /** @type {import('../engine/hls.js').Level[]} */
  #levels = [];
  /** @type {string[]} */
  notes = [];
  /** The viewer (or the embedding page) wants it to play. */
  wanted = false;
  /** Pictures of this source have moved … */
  #played = false;
  /** … or of any, or one was found to be over. */
  #seen = false;
  #finished = false;
  #standstill = new Standstill();
  #reloads = new Budget(RELOADS, RELOAD_WINDOW_MS);
  /** @type {(() => void) | null} */
  #onRetry = null;
  /** @type {((end: End) => void) | null} */
  #onEnd = null;

  /**
   * @param {Asset} asset
   * @param {Options} options
   * @param {Means} means
   * @param {PlayerEvents} events
   */
  constructor(asset, options, means, events) {
    this.asset = asset;
    this.options = options;
    this.means = means;
    this.events = events;
    this.wanted = options.autoplay;
    this.quality = options.quality;
    this.edge = new LiveEdge(means.video, () => this.engine, {
      interrupted: () => this.#happen('interrupted'),
      resumed: () => this.#happen('resumed'),
    });
  }

  /** Runs as long as the page lives. */
  async run() {
    let position = this.asset.kind === 'vod' ? this.options.start ?? -1 : -1;
    /** @type {Source | null} */
    let over = null;
    for (;;) {
      const source = await this.#obtain(over);
      const end = await this.#watch(source, position);
      position = this.#resumeAt(end);
      over = end === 'ended' ? source : null;
      if (end === 'failed') await this.#retryWanted();
    }
  }

  /**
   * @param {Source | null} over   a broadcast that has ended, and is not worth playing again
   * @returns {Promise<Source>}
   */
  async #obtain(over) {
    for (let attempt = 0; ; attempt++) {
      const answer = await this.means.ask();
      if (answer.kind === 'ready' && !(over && isSameBroadcast(answer.source, over))) return answer.source;
      if (answer.kind === 'problem') {
        this.#happen('problem', answer);
        await this.#retryWanted();
        attempt = -1;
        continue;
      }
      if (answer.kind === 'lost') this.#happen('lost');
      else this.#happen(this.#isOver() ? 'ended' : 'wait');
      const afterS = answer.kind === 'ready' ? null : answer.afterS;
      await this.means.pause(delayS(attempt, afterS, this.means.random()));
    }
  }

  /** A live stream that has been seen, and has nothing now, is over rather than not begun. */
  #isOver() {
    return this.asset.kind === 'live' && this.#seen;
  }

  /**
   * @param {Source} source
   * @param {number} startPosition
   * @returns {Promise<End>}
   */
  #watch(source, startPosition) {
    const live = this.asset.kind === 'live';
    this.#dropEngine();
    this.edge.reset(startPosition === -1);
    this.#played = this.#finished = false;
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      const engine = this.engine = this.means.createEngine(source, {
        live,
        targetLatency: this.asset.targetLatency,
        startPosition,
        quality: this.quality,
        // A live stream that nobody watches yet is not worth its traffic; a video's first picture is.
        startLoad: !live || this.wanted,
        captions: this.means.captions(),
      }, this.#engineEvents());
      void followGrowth(source, this.means, () => this.engine === engine, (...to) => engine.extend(...to))
        .then((replaced) => replaced && this.#lose());
    });
  }

  /** @returns {EngineEvents} */
  #engineEvents() {
    return {
      playable: () => {
        this.#happen('playable');
        if (this.wanted) this.events.play();
      },
      levels: (levels) => {
        this.#levels = levels;
        this.events.levels(levels, this.engine?.chosenLevel ?? -1);
      },
      level: (index) => {
        this.level = index;
      },
      advanced: () => this.edge.advanced(this.means.now()),
      finished: () => this.#finish(),
      lost: () => this.#lose(),
      problem: (code) => this.#fail(code),
      note: (text) => this.#note(text),
    };
  }

  /** The playlist is complete. What is left of it is played to its end, if any of it has been played. */
  #finish() {
    this.#finished = true;
    if (!this.#played) this.#dropEngine();
    if (!this.#played || this.means.video.ended) this.ended();
  }

  #lose() {
    if (!this.#reloads.spend(this.means.now())) {
      this.#fail('server-failed');
      return;
    }
    this.#happen('lost');
    void this.means.pause(delayS(0, null, this.means.random())).then(() => this.#end('lost'));
  }

  /** @param {string} code */
  #fail(code) {
    this.#dropEngine();
    this.#happen('problem', { problem: { code, title: '', detail: null }, status: 0 });
    this.#end('failed');
  }

  #dropEngine() {
    this.engine?.destroy();
    this.engine = null;
  }

  /** @param {End} end */
  #end(end) {
    this.#onEnd?.(end);
    this.#onEnd = null;
  }

  /** @param {End} end */
  #resumeAt(end) {
    const { video } = this.means;
    const fromTheStart = end === 'ended' || (this.asset.kind === 'live' && this.edge.following.on);
    return fromTheStart || video.currentTime === 0 ? -1 : video.currentTime;
  }

  #retryWanted() {
    return new Promise((resolve) => {
      this.#onRetry = () => resolve(undefined);
    });
  }

  /** The viewer asks to try again. */
  retry() {
    this.#happen('retry');
    this.#onRetry?.();
    this.#onRetry = null;
  }

  /** The viewer (or the page's autoplay) wants it to play. */
  play() {
    this.wanted = true;
    this.engine?.startLoad();
    this.edge.resumed(this.means.now());
  }

  /** @param {number} index   of the level that the viewer wants; -1: automatic */
  choose(index) {
    this.quality = this.#levels[index]?.height ?? null;
    this.engine?.chooseLevel(index);
  }

  /** The viewer wants it to pause. */
  pause() {
    this.wanted = false;
    this.edge.paused();
  }

  /** Pictures move. */
  moving() {
    this.#played = this.#seen = true;
    this.edge.moving(this.means.now());
  }

  /** Pictures stopped for lack of media. */
  stalled() {
    if (this.#played) this.edge.stalled(this.means.now());
  }

  /** @param {number} now   milliseconds; called often */
  tick(now) {
    this.edge.tick(now);
    const { currentTime, duration } = this.means.video;
    if (this.edge.stalledMs(now) > END_STALL_MS && duration - currentTime < END_S) this.ended();
    const mayStand = this.asset.kind === 'vod' || this.means.video.paused || this.phase !== 'open';
    if (this.#standstill.isStuck(currentTime, mayStand, now)) {
      this.#note('stuck');
      this.#lose();
    }
  }

  /** The media element came to the end of its media. */
  ended() {
    if (this.asset.kind !== 'live' || !this.#finished) return;
    this.#seen = true;
    this.means.video.pause();
    this.#happen('ended');
    this.#end('ended');
  }

  /**
   * @param {import('./phases.js').Happening} happening
   * @param {Failure | null} [failure]
   */
  #happen(happening, failure = null) {
    const phase = nextPhase(this.phase, happening);
    if (phase === this.phase) return;
    this.phase = phase;
    this.events.phase(phase, failure);
  }

  /** @param {string} text */
  #note(text) {
    this.notes.push(text);
    if (this.notes.length > MAX_NOTES) this.notes.shift();
  }
}
