import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Captions } from '../../src/state/captions.js';

describe('captions', () => {
  /** @type {Map<string, string>} */
  let kept;
  /** @type {import('../../src/state/captions.js').Track[]} */
  let tracks;

  beforeEach(() => {
    kept = new Map();
    tracks = [
      { kind: 'metadata', language: '', mode: 'hidden' },
      { kind: 'subtitles', language: 'de', mode: 'disabled' },
      { kind: 'subtitles', language: 'en', mode: 'disabled' },
    ];
  });

  const make = (/** @type {string[]} */ ...languages) => new Captions(() => /** @type {any} */ ({
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value),
  }), languages);
  const shown = () => tracks.filter(({ mode }) => mode === 'showing').map(({ language }) => language);

  test('nothing is wanted before anything was chosen', () => {
    assert.equal(make('en').choice, null);
  });

  test('a choice is remembered for the next video', () => {
    Object.assign(tracks[2] ?? {}, { mode: 'showing' });
    make().chosen(tracks);
    assert.equal(make().choice, 'en');

    Object.assign(tracks[2] ?? {}, { mode: 'disabled' });
    make().chosen(tracks);
    assert.equal(make().choice, 'off');
  });

  test('a key turns them on in the language of the viewer, and off', () => {
    const captions = make('en-US');
    captions.toggle(tracks);
    assert.deepEqual([shown(), captions.choice], [['en'], 'en']);

    captions.toggle(tracks);
    assert.deepEqual([shown(), captions.choice], [[], 'off']);
    assert.equal(tracks[0]?.mode, 'hidden');
  });

  test('a key turns on again what was shown before', () => {
    const captions = make('en');
    Object.assign(tracks[1] ?? {}, { mode: 'showing' });
    captions.toggle(tracks);
    captions.toggle(tracks);

    assert.deepEqual(shown(), ['de']);
  });

  test('the first one where none is in a language of the viewer', () => {
    make('fr').toggle(tracks);

    assert.deepEqual(shown(), ['de']);
  });

  test('a browser that keeps nothing remembers for this video', () => {
    const captions = new Captions(() => {
      throw new DOMException('no', 'SecurityError');
    }, ['en']);
    captions.toggle(tracks);

    assert.equal(captions.choice, 'en');
  });
});
