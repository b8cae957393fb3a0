import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Standstill } from '../../src/state/standstill.js';

test('a picture that moves, or may stand still, is never stuck', () => {
  const standstill = new Standstill();
  for (let now = 0; now < 60_000; now += 1_000) {
    assert.equal(standstill.isStuck(now / 1000, false, now), false);
  }
  for (let now = 60_000; now < 120_000; now += 1_000) {
    assert.equal(standstill.isStuck(60, true, now), false);
  }
});

test('one that stands still is stuck once in a while', () => {
  const standstill = new Standstill();
  const stuckAt = [];
  for (let now = 0; now <= 40_000; now += 1_000) {
    if (standstill.isStuck(5, false, now)) stuckAt.push(now);
  }

  assert.deepEqual(stuckAt, [16_000, 32_000]);
});
