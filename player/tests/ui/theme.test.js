import assert from 'node:assert/strict';
import test from 'node:test';
import { colour } from '../../src/ui/theme.js';

const THEME = { logo: null, controls: true, autoplay: false, loop: false, title: true };

test('colours that a browser can read are set, others keep the looks of the page', () => {
  /** @type {Record<string, string>} */
  const set = {};
  const style = /** @type {any} */ ({
    setProperty: (/** @type {string} */ name, /** @type {string} */ value) => { set[name] = value; },
  });
  const colours = { trackPlayed: 'red', backgroundBottom: 'no colour', shape: 'red' };

  colour(style, { ...THEME, colours }, (property, value) => property === 'color' && value === 'red');

  assert.deepEqual(set, { '--media-range-bar-color': 'red' });
});
