import assert from 'node:assert/strict';
import { test } from 'node:test';
import { behindWords, delayWords, problemWords } from '../src/words.js';

/** @param {string} code */
const problem = (code) => ({ code, title: '', detail: null });

/** @type {[string, number, string, boolean][]} code, status, title, retry */
const PROBLEMS = [
  ['playback-token-missing', 403, 'This video is private', false],
  ['playback-token-expired', 403, 'This link has expired', false],
  ['playback-token-invalid', 403, 'This link does not work', false],
  ['playback-blocked', 403, 'You can’t watch this here', false],
  ['forbidden', 403, 'You can’t watch this here', false],
  ['resource-not-found', 404, 'Nothing to watch here', false],
  ['unrecognized-request-url', 404, 'Nothing to watch here', false],
  ['internal-error', 500, 'The video can’t be reached', true],
  ['unknown', 404, 'Nothing to watch here', false],
  ['unknown', 429, 'Too many viewers right now', true],
  ['unknown', 0, 'The video can’t be reached', true],
  ['constructor', 0, 'The video can’t be reached', true],
  ['codec-unsupported', 0, 'This browser can’t play the video', false],
];
for (const [code, status, title, retry] of PROBLEMS) {
  test(`${code} (${status}) in words`, () => {
    const words = problemWords(problem(code), status);

    assert.equal(words.title, title);
    assert.equal(words.retry, retry);
    assert.notEqual(words.detail, '');
  });
}

test('a problem that the player does not know speaks for itself', () => {
  const words = problemWords({ code: 'moon-phase', title: 'Wrong moon', detail: 'Wait a week.' });

  assert.deepEqual(words, { title: 'Wrong moon', detail: 'Wait a week.', retry: true });
});

test('the server may know better why there is nothing', () => {
  const words = problemWords({ code: 'resource-not-found', title: '', detail: 'The broadcast has ended.' });

  assert.equal(words.detail, 'The broadcast has ended.');
});

test('delays', () => {
  assert.equal(delayWords(1.08), '1.1 s');
  assert.equal(delayWords(9.94), '9.9 s');
  assert.equal(delayWords(12.4), '12 s');
});

test('distances from live', () => {
  assert.equal(behindWords(0), '−0:00');
  assert.equal(behindWords(5.4), '−0:05');
  assert.equal(behindWords(65), '−1:05');
  assert.equal(behindWords(3725), '−1:02:05');
  assert.equal(behindWords(-3), '−0:00');
});
