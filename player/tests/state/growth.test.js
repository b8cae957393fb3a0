import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followGrowth } from '../../src/state/growth.js';

/** @typedef {import('../../src/engine/manifest.js').Answer} Answer */

/** @param {Record<string, number> | null} growing @param {string[]} names */
const source = (growing, ...names) => ({
  url: '/m', text: `#EXTM3U\n${names.map((name) => `${name}/media.m3u8\n`).join('')}`, growing,
});
/** @param {Record<string, number> | null} growing @param {string[]} names @returns {Answer} */
const ready = (growing, ...names) => ({ kind: 'ready', source: source(growing, ...names) });

/**
 * @param {import('../../src/engine/manifest.js').Source} first
 * @param {Answer[]} answers
 * @param {number} looks   for so many it is watched
 */
async function run(first, answers, looks = 99) {
  /** @type {number[]} */
  const pauses = [];
  /** @type {[boolean, object | null][]} */
  const extended = [];
  const replaced = await followGrowth(first, {
    ask: async () => answers.shift() ?? { kind: 'lost', afterS: null },
    pause: async (seconds) => { pauses.push(Math.round(seconds * 10) / 10); },
    random: () => 0.5,
  }, () => looks-- > 0, (newer, more) => extended.push([more, newer.growing]));
  return { replaced, pauses, extended };
}

test('what does not grow is not asked for again', async () => {
  assert.deepEqual(await run(source(null, 'a'), []), { replaced: false, pauses: [], extended: [] });
});

test('the player is told of all that changes, until nothing will', async () => {
  const answers = [ready({ b: 8 }, 'b'), ready({ a: 2, b: 8 }, 'a', 'b'), ready(null, 'a', 'b')];
  const { replaced, pauses, extended } = await run(source({}, 'b'), answers);

  assert.equal(replaced, false);
  assert.deepEqual(extended, [[false, { b: 8 }], [true, { a: 2, b: 8 }], [false, null]]);
  assert.deepEqual(pauses, [2, 2.4, 2.4]);
});

test('a server that does not answer is asked again, ever more slowly', async () => {
  const { pauses } = await run(source({}, 'a'), [], 60);

  assert.equal(pauses.at(-1), 10);
});

test('a new source is begun anew', async () => {
  assert.equal((await run(source({}, 'r1/a'), [ready({}, 'r2/a')])).replaced, true);
});

test('a problem is left to the media to meet', async () => {
  const problem = { code: 'playback-token-expired', title: '', detail: null };
  const { replaced, pauses } = await run(source({}, 'a'), [{ kind: 'problem', status: 403, problem }]);

  assert.deepEqual([replaced, pauses.length], [false, 1]);
});
