import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Renditions, seekableRange } from '../../src/ui/media.js';

const LEVELS = [360, 720].map((height, i) => ({ id: String(i), width: height * 2, height, bitrate: 1e6 }));

test('renditions are an array-like list with events, as media-chrome reads it', () => {
  const renditions = new Renditions();
  /** @type {string[]} */
  const heard = [];
  for (const type of ['addrendition', 'removerendition', 'change']) {
    renditions.addEventListener(type, () => heard.push(type));
  }

  renditions.replace(LEVELS, -1);

  assert.deepEqual([...renditions], LEVELS);
  assert.equal(Array.prototype.findIndex.call(renditions, (level) => level.height === 720), 1);
  assert.equal(renditions.selectedIndex, -1);
  assert.deepEqual(heard, ['addrendition', 'change']);
});

test('a choice is handed on', () => {
  const renditions = new Renditions();
  renditions.replace(LEVELS, -1);
  let chosen = NaN;
  renditions.onchoose = (index) => { chosen = index; };
  renditions.selectedIndex = 1;

  assert.equal(chosen, 1);
  assert.equal(renditions.selectedIndex, 1);
});

test('a single rendition is no choice', () => {
  const renditions = new Renditions();
  renditions.replace(LEVELS, 0);
  renditions.replace(LEVELS.slice(0, 1), -1);

  assert.equal(renditions.length, 0);
  assert.equal(/** @type {any} */ (renditions)[0], undefined);
});

test('a live seek bar ends where live playback is', () => {
  const native = /** @type {any} */ ({ length: 1, start: () => 10, end: () => 60 });

  assert.equal(seekableRange(native, null, 20), native);
  assert.equal(seekableRange({ ...native, length: 0 }, 50, 20).length, 0);
  assert.equal(seekableRange(native, 50, 20).end(0), 50);
  assert.equal(seekableRange(native, 50, 51).end(0), 51);
  assert.equal(seekableRange(native, 50, 20).start(0), 10);
});
