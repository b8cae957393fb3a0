import assert from 'node:assert/strict';
import { test } from 'node:test';

// hls.js looks at `self` when it is loaded; node has only globalThis.
Object.defineProperty(globalThis, 'self', { value: globalThis, configurable: true });
const { nearestLevel } = await import('../../src/engine/hls.js');

/**
 * @param {number} height
 * @param {number} bitrate
 */
const level = (height, bitrate) => ({ id: '', width: 0, height, bitrate });
const LADDER = [level(360, 8e5), level(720, 2e6), level(720, 3e6), level(1080, 5e6)];

/** @type {[number | null, number][]} */
const WISHES = [[null, -1], [720, 2], [800, 2], [1080, 3], [2160, 3], [240, 0]];
for (const [height, index] of WISHES) {
  test(`the level for ${height}`, () => assert.equal(nearestLevel(LADDER, height), index));
}

test('there is no level in an empty ladder', () => assert.equal(nearestLevel([], 720), -1));
