import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLeftBehind, renditionsIn, worthOffering } from '../../src/engine/pace.js';

/** @type {[string, Record<string, number>, number, string][]} */
const OFFERED = [
  ['all that is whole', {}, 50, 'a b'],
  ['nothing that has only begun beside a whole one', { a: 4 }, 0, 'b'],
  ['what is well ahead beside a whole one', { a: 40 }, 20, 'a b'],
  ['what has got furthest where nothing is well ahead', { a: 8, b: 2 }, 3, 'a'],
  ['all that are as far', { a: 8, b: 8 }, 7.9, 'a b'],
  ['nothing that its viewer has passed', { a: 30, b: 8 }, 10, 'a'],
];
for (const [what, growing, time, offered] of OFFERED) {
  test(`offered is ${what}`, () => {
    assert.equal([...worthOffering(['a', 'b'], growing, time)].join(' '), offered);
  });
}

/** @type {[Record<string, number>, number, number, boolean][]} */
const LEFT = [
  [{}, 8, 7, false],
  [{ a: 8 }, 8, 7, true],
  [{ a: 20 }, 20, 7, false],
  [{ a: 8, b: 8 }, 8, 7, false],
  [{ a: 8, b: 10 }, 8, 7, true],
];
for (const [growing, edge, time, left] of LEFT) {
  test(`at ${time} s of ${edge} it is ${left ? '' : 'not '}left`, () => {
    assert.equal(isLeftBehind('a', edge, ['a', 'b'], growing, time), left);
  });
}

test('renditions are known by their folders', () => {
  const master = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a,b"\nr1/480p/media.m3u8\n'
    + '#EXT-X-STREAM-INF:BANDWIDTH=2\r\nr1/video/media.m3u8\r\n';

  assert.deepEqual(renditionsIn(master), ['480p', 'video']);
});
