import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { LiveEdge, bufferAhead } from '../../src/state/live_edge.js';

/** @param {[number, number][]} list */
const ranges = (...list) => ({
  length: list.length,
  start: (/** @type {number} */ i) => list[i]?.[0] ?? NaN,
  end: (/** @type {number} */ i) => list[i]?.[1] ?? NaN,
});

describe('the live edge', () => {
  /** @type {import('../../src/state/live_edge.js').Media} */
  let media;
  /** @type {{ live: boolean, latency: number | null, targetLatency: number | null, clockDelay: number | null,
   *           liveSyncPosition: number | null }} */
  let source;
  /** @type {string[]} */
  let told;
  /** @type {LiveEdge} */
  let edge;

  beforeEach(() => {
    media = {
      currentTime: 100, playbackRate: 1, paused: false, seeking: false, readyState: 4,
      buffered: ranges([90, 101]),
    };
    source = { live: true, latency: 1.0, targetLatency: 1.0, clockDelay: 1.1, liveSyncPosition: 100 };
    told = [];
    edge = new LiveEdge(media, () => source, {
      interrupted: () => told.push('interrupted'),
      resumed: () => told.push('resumed'),
    });
    edge.advanced(0);
  });

  test('speeds up when late and slows down on target', () => {
    source.latency = 1.5;
    edge.tick(0);
    assert.equal(media.playbackRate, 1.25);

    source.latency = 1.02;
    edge.tick(100);
    assert.equal(media.playbackRate, 1);
  });

  test('jumps when far behind, once at a time, and only forward', () => {
    Object.assign(source, { latency: 9, liveSyncPosition: 108 });
    edge.tick(0);
    assert.equal(media.currentTime, 108);

    media.currentTime = 100;
    edge.tick(100);
    assert.equal(media.currentTime, 100, 'the first jump has not landed yet');

    source.liveSyncPosition = 99;
    edge.tick(5_000);
    assert.equal(media.currentTime, 100, 'never backwards');
  });

  for (const state of [{ paused: true }, { seeking: true }]) {
    test(`leaves a viewer alone who is ${Object.keys(state)}`, () => {
      Object.assign(media, state);
      source.latency = 9;
      edge.tick(0);

      assert.equal(media.currentTime, 100);
      assert.equal(media.playbackRate, 1);
    });
  }

  test('leaves a viewer in the past alone, until they ask to be live', () => {
    assert.equal(edge.sought(60), 60);
    Object.assign(source, { latency: 41 });
    edge.tick(0);
    assert.equal(media.playbackRate, 1);
    assert.equal(media.currentTime, 100);
    assert.equal(edge.status()?.following, false);

    assert.equal(edge.goLive(), 100);
    assert.equal(edge.status()?.following, true);
  });

  test('a seek past live ends at live', () => {
    assert.equal(edge.sought(500), 100);
    assert.equal(edge.following.on, true);
  });

  test('the past may be watched faster, and becomes live when it arrives there', () => {
    edge.sought(60);
    source.latency = 41;
    media.playbackRate = 2;
    edge.tick(0);
    assert.equal(media.playbackRate, 2);

    source.latency = 1.01;
    edge.tick(100);
    assert.equal(media.playbackRate, 1);
    assert.equal(edge.following.on, true);
  });

  test('a stall of the network moves the target, an interruption of the stream does not', () => {
    source.latency = 1.2;
    edge.stalled(1_000);
    edge.advanced(1_100);
    edge.moving(1_300);
    edge.tick(1_400);
    assert.equal(edge.stalls, 1);
    assert.equal(media.playbackRate, 1, '1.2 s is on target now');

    const other = new LiveEdge(media, () => source, edge.events);
    other.advanced(0);
    other.stalled(1_000);
    other.tick(6_000);
    other.moving(9_000);
    other.tick(9_100);
    assert.equal(media.playbackRate, 1.2);
    assert.deepEqual(told, ['interrupted', 'resumed']);
  });

  test('counts a stall once, and no seek as one', () => {
    edge.stalled(0);
    edge.stalled(10);
    edge.moving(20);
    Object.assign(media, { seeking: true });
    edge.stalled(30);

    assert.equal(edge.stalls, 1);
  });

  test('says nothing of a stream that is not on air', () => {
    source.live = false;
    assert.equal(edge.status(), null);
    Object.assign(source, { latency: null, targetLatency: null, liveSyncPosition: null });
    edge.tick(0);
    edge.paused();

    assert.equal(edge.sought(7), 7);
    assert.equal(edge.goLive(), null);
    assert.equal(edge.following.on, true);
  });

  test('tells the delay while following, and the distance', () => {
    source.liveSyncPosition = 104;

    assert.deepEqual(edge.status(), { following: true, delayS: 1.1, behindS: 4 });
  });
});

test('the buffer that counts is the one that the playing position lies in', () => {
  const at = (/** @type {number} */ currentTime, /** @type {[number, number][]} */ ...list) => (
    bufferAhead(/** @type {any} */ ({ currentTime, buffered: ranges(...list) }))
  );

  assert.equal(at(5), 0);
  assert.equal(at(5, [0, 8]), 3);
  assert.equal(at(5, [0, 4], [5.05, 9]), 4);
  assert.equal(at(5, [0, 4], [6, 9]), 0);
});
