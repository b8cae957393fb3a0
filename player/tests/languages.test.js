import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestLanguage } from '../src/languages.js';

for (const [wanted, found] of /** @type {[string[], string | null][]} */ ([
  [['de'], 'de'],
  [['pt-BR', 'de'], 'pt'],
  [['de-AT'], 'de'],
  [['EN-gb'], 'en-GB'],
  [['en-US'], 'en-GB'],
  [['fr', 'en'], 'en-GB'],
  [['fr', ''], null],
  [[], null],
])) {
  test(`who wants ${wanted.join(', ') || 'nothing'} is given ${found}`, () => {
    const offered = ['de', 'en-GB', 'pt'];

    assert.equal(offered[nearestLanguage(offered, wanted)] ?? null, found);
  });
}
