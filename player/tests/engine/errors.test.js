import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Budget, actionFor } from '../../src/engine/errors.js';

/** @type {[string, string, boolean, string][]} */
const ERRORS = [
  ['networkError', 'fragLoadError', false, 'ignore'],
  ['mediaError', 'bufferStalledError', false, 'ignore'],
  ['networkError', 'levelLoadError', true, 'reload'],
  ['networkError', 'fragLoadTimeOut', true, 'reload'],
  ['networkError', 'manifestParsingError', true, 'stop'],
  ['mediaError', 'bufferAppendError', true, 'recover'],
  ['mediaError', 'manifestIncompatibleCodecsError', true, 'codec'],
  ['mediaError', 'bufferAddCodecError', true, 'codec'],
  ['muxError', 'remuxAllocError', true, 'recover'],
  ['otherError', 'internalException', true, 'stop'],
];
for (const [type, details, fatal, action] of ERRORS) {
  test(`${details}${fatal ? ', fatal' : ''}: ${action}`, () => {
    assert.equal(actionFor({ type, details, fatal }), action);
  });
}

test('a budget runs out, and comes back with time', () => {
  const budget = new Budget(2, 1000);

  assert.deepEqual([0, 10, 20, 999, 1001].map((now) => budget.spend(now)), [true, true, false, false, true]);
});
