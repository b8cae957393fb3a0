import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Player } from '../../src/state/player.js';

const ASSET = Object.freeze({
  id: 'x', kind: /** @type {const} */ ('live'), title: '', manifest: '/m', poster: null, storyboard: null,
  chapters: [], annotations: null, targetLatency: null, theme: null,
});
const OPTIONS = Object.freeze({
  autoplay: true, muted: true, loop: false, controls: true, start: null, quality: null, lang: null,
});

/** @param {string} broadcast @returns {import('../../src/engine/manifest.js').Answer} */
const ready = (broadcast) => ({
  kind: 'ready', source: { url: '/m', text: `#EXTM3U\n${broadcast}/v.m3u8\n`, growing: null },
});
/** @type {import('../../src/engine/manifest.js').Answer} */
const WAIT = { kind: 'wait', afterS: 1 };
/** @type {import('../../src/engine/manifest.js').Answer} */
const EXPIRED = {
  kind: 'problem', status: 403, problem: { code: 'playback-token-expired', title: '', detail: null },
};

/** Lets everything that waits for promises run. */
const settle = () => new Promise((resolve) => {
  setImmediate(resolve);
});

describe('the player', () => {
  /** @type {import('../../src/engine/manifest.js').Answer[]} */
  let answers;
  /** @type {string[]} */
  let told;
  /** @type {(() => void)[]} */
  let sleepers;
  /** @type {{ source: any, options: any, events: import('../../src/engine/hls.js').EngineEvents,
   *           destroyed: boolean, started: boolean }[]} */
  let engines;
  /** @type {any} */
  let video;
  let now = 0;

  beforeEach(() => {
    [answers, told, sleepers, engines, now] = [[], [], [], [], 0];
    video = {
      currentTime: 0, ended: false, paused: false, seeking: false, buffered: { length: 0 }, pause() {},
    };
  });

  /** @param {object} asset @param {object} options */
  function start(asset = {}, options = {}) {
    const player = new Player({ ...ASSET, ...asset }, { ...OPTIONS, ...options }, {
      video,
      createEngine: (source, engineOptions, events) => {
        const engine = { source, options: engineOptions, events, destroyed: false, started: false };
        engines.push(engine);
        return /** @type {any} */ ({
          live: true, latency: 1, targetLatency: 1, clockDelay: null, liveSyncPosition: 50, chosenLevel: -1,
          destroy: () => { engine.destroyed = true; },
          chooseLevel: () => {},
          startLoad: () => { engine.started = true; },
        });
      },
      ask: async () => answers.shift() ?? WAIT,
      pause: () => new Promise((resolve) => {
        sleepers.push(resolve);
      }),
      now: () => now,
      random: () => 0,
      captions: () => null,
    }, {
      phase: (phase, failure) => told.push(failure ? `${phase}: ${failure.problem.code}` : phase),
      levels: (_levels, chosen) => told.push(`level ${chosen}`),
      play: () => told.push('play'),
    });
    void player.run();
    return player;
  }

  /** Ends every pause that has begun. */
  async function wake() {
    for (const resolve of sleepers.splice(0)) resolve();
    await settle();
  }

  test('waits until there is something, then plays it', async () => {
    answers.push(WAIT, WAIT, ready('a'));
    start();
    await settle();
    assert.deepEqual(told, ['waiting']);

    await wake();
    await wake();
    engines[0]?.events.playable();
    assert.deepEqual(told, ['waiting', 'open', 'play']);
    assert.deepEqual(engines[0]?.options, {
      live: true, targetLatency: null, startPosition: -1, quality: null, startLoad: true, captions: null,
    });
  });

  test('tells a problem, and asks again only when the viewer wants', async () => {
    answers.push(EXPIRED, ready('a'));
    const player = start();
    await settle();
    await wake();
    assert.deepEqual(told, ['failed: playback-token-expired']);
    assert.equal(engines.length, 0);

    player.retry();
    await settle();
    engines[0]?.events.playable();
    assert.deepEqual(told.slice(1), ['asking', 'open', 'play']);
  });

  test('a broadcast that ended gives way to the next, not to itself', async () => {
    answers.push(ready('a'), ready('a'), WAIT, ready('b'));
    const player = start();
    await settle();
    engines[0]?.events.playable();
    player.moving();
    engines[0]?.events.finished();
    assert.deepEqual(told, ['open', 'play'], 'there is still something to play to the end');

    video.ended = true;
    player.ended();
    await settle();
    assert.deepEqual(told.slice(2), ['ended']);
    assert.equal(engines[0]?.destroyed, false, 'the past can still be sought');

    await wake();
    await wake();
    assert.equal(engines.length, 2);
    assert.equal(engines[0]?.destroyed, true);
    engines[1]?.events.playable();
    assert.deepEqual(told.slice(3), ['open', 'play']);
  });

  test('the last hundredths of a second that never come are no reason to wait', async () => {
    answers.push(ready('a'));
    const player = start();
    await settle();
    engines[0]?.events.playable();
    player.moving();
    engines[0]?.events.finished();
    Object.assign(video, { currentTime: 99.8, duration: 100 });
    player.stalled();
    now = 900;
    player.tick(now);
    assert.deepEqual(told, ['open', 'play']);
    now = 1_100;
    player.tick(now);

    assert.deepEqual(told, ['open', 'play', 'ended']);
  });

  test('a live picture that stands still for long is fetched anew', async () => {
    answers.push(ready('a'), ready('a'));
    const player = start();
    await settle();
    engines[0]?.events.playable();
    for (now = 0; now <= 14_000; now += 1_000) player.tick(now);
    assert.deepEqual(told, ['open', 'play']);
    for (; now <= 17_000; now += 1_000) player.tick(now);
    assert.deepEqual(told.slice(2), ['lost']);

    await wake();
    assert.equal(engines.length, 2);
  });

  test('a paused one may stand still', async () => {
    answers.push(ready('a'));
    const player = start();
    await settle();
    engines[0]?.events.playable();
    video.paused = true;
    for (now = 0; now <= 60_000; now += 1_000) player.tick(now);

    assert.deepEqual(told, ['open', 'play']);
  });

  test('a page opened just after the end says so, and does not play what is over', async () => {
    answers.push(ready('a'), ready('a'), ready('b'));
    start();
    await settle();
    engines[0]?.events.playable();
    engines[0]?.events.finished();
    await settle();
    assert.deepEqual(told, ['open', 'play', 'ended']);
    assert.equal(engines[0]?.destroyed, true);

    await wake();
    await settle();
    engines[1]?.events.playable();
    assert.deepEqual(told.slice(3), ['open', 'play']);
  });

  test('a stream that vanished without a word has ended, not “not started”', async () => {
    answers.push(ready('a'), WAIT);
    const player = start();
    await settle();
    engines[0]?.events.playable();
    player.moving();
    engines[0]?.events.lost();
    await settle();
    await wake();

    assert.deepEqual(told.slice(2), ['lost', 'ended']);
  });

  test('a video goes on where the connection was lost', async () => {
    answers.push(ready('a'), ready('a'));
    const player = start({ kind: 'vod' }, { start: 12 });
    await settle();
    assert.equal(engines[0]?.options.startPosition, 12);
    engines[0]?.events.playable();
    player.moving();
    video.currentTime = 34.5;
    engines[0]?.events.lost();
    await settle();
    await wake();

    assert.equal(engines[1]?.options.startPosition, 34.5);
    assert.deepEqual(told.slice(2), ['lost']);
  });

  test('what the viewer chose outlives the connection', async () => {
    answers.push(ready('a'), ready('a'));
    const player = start({ kind: 'vod' }, { quality: 360 });
    await settle();
    assert.equal(engines[0]?.options.quality, 360);
    engines[0]?.events.levels([{ id: '0', width: 1280, height: 720, bitrate: 1e6 }]);
    player.choose(0);
    engines[0]?.events.lost();
    await settle();
    await wake();
    assert.equal(engines[1]?.options.quality, 720);

    player.choose(-1);
    assert.equal(player.quality, null);
  });

  test('a time to start at means nothing for a live stream', async () => {
    answers.push(ready('a'));
    start({}, { start: 12 });
    await settle();

    assert.equal(engines[0]?.options.startPosition, -1);
  });

  test('a new broadcast is followed live, wherever the viewer was in the last one', async () => {
    answers.push(ready('a'), ready('b'));
    const player = start();
    await settle();
    engines[0]?.events.playable();
    player.moving();
    player.edge.sought(10);
    assert.equal(player.edge.following.on, false);
    engines[0]?.events.finished();
    player.ended();
    await settle();

    assert.equal(engines.length, 2);
    assert.equal(player.edge.following.on, true);
  });

  test('a server that fails again and again ends in words', async () => {
    for (let i = 0; i < 10; i++) answers.push(ready('a'));
    start();
    for (let i = 0; i < 10; i++) {
      await settle();
      engines.at(-1)?.events.lost();
      await settle();
      await wake();
    }

    assert.equal(told.at(-1), 'failed: server-failed');
    assert.equal(engines.length, 7);
    assert.equal(engines.at(-1)?.destroyed, true);
  });

  test('a live stream that nobody plays is not fetched', async () => {
    answers.push(ready('a'));
    const player = start({}, { autoplay: false });
    await settle();
    engines[0]?.events.playable();
    assert.deepEqual(told, ['open']);
    assert.equal(engines[0]?.options.startLoad, false);

    player.play();
    assert.equal(engines[0]?.started, true);
  });

  test('a broken medium ends in words, and a retry starts over', async () => {
    answers.push(ready('a'), ready('a'));
    const player = start({ kind: 'vod' });
    await settle();
    engines[0]?.events.problem('media-broken');
    await settle();
    assert.equal(told.at(-1), 'failed: media-broken');

    player.retry();
    await settle();
    assert.equal(engines.length, 2);
  });

  test('an interruption is told, and its end', async () => {
    answers.push(ready('a'));
    const player = start();
    await settle();
    engines[0]?.events.playable();
    player.moving();
    engines[0]?.events.advanced();
    player.stalled();
    now = 6_000;
    player.tick(now);
    player.moving();

    assert.deepEqual(told.slice(2), ['interrupted', 'open']);
  });

  test('keeps the last hundred notes', async () => {
    answers.push(ready('a'));
    const player = start();
    await settle();
    for (let i = 0; i < 150; i++) engines[0]?.events.note(`note ${i}`);

    assert.equal(player.notes.length, 100);
    assert.equal(player.notes.at(-1), 'note 149');
  });
});
