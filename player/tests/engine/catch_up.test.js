import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Following, LatencyTarget, isInterrupted, nextAction, shownDelay,
} from '../../src/engine/catch_up.js';

/** @type {[number, number, object][]} latency, buffer, what to do for a target of 1 s */
const PLACES = [
  [0.8, 0.7, { rate: 1 }],
  [0.8, 0.4, { rate: 0.95 }],
  [0.9, 0.4, { rate: 1 }],
  [1.0, 0.9, { rate: 1 }],
  [1.05, 0.9, { rate: 1 }],
  [1.07, 0.9, { rate: 1.1 }],
  [1.19, 0.9, { rate: 1.2 }],
  [1.5, 1.4, { rate: 1.25 }],
  [4.0, 3.5, { rate: 1.25 }],
  [1.5, 0.25, { rate: 1 }],
  [4.1, 0, { seek: true }],
];
for (const [latency, buffer, action] of PLACES) {
  test(`${latency} s behind with ${buffer} s ready`, () => {
    assert.deepEqual(nextAction({ latency, target: 1, buffer }), action);
  });
}

test('a viewer who hurries arrives and stays, without overshooting', () => {
  let latency = 3.5;
  for (let step = 0; step < 300; step++) {
    const action = nextAction({ latency, target: 1, buffer: latency - 0.1 });
    assert.ok('rate' in action);
    latency -= (action.rate - 1) * 0.1;
  }

  assert.ok(latency > 0.98 && latency <= 1.06, String(latency));
});

test('stalls move the target away, up to a limit, and calm brings it back', () => {
  const target = new LatencyTarget();
  assert.equal(target.value(1, 0), 1);

  target.stalled(1_000);
  assert.equal(target.value(1, 1_000), 1.25);
  assert.equal(target.value(1, 31_000), 1.25);
  assert.ok(Math.abs(target.value(1, 41_000) - 1.15) < 1e-9);
  assert.equal(target.value(1, 100_000), 1);

  for (let i = 0; i < 100; i++) target.stalled(200_000);
  assert.equal(target.value(1, 200_000), 4);
});

test('a viewer follows live until they choose the past', () => {
  const following = new Following();
  assert.equal(following.on, true);

  following.sought(20);
  assert.equal(following.on, false);
  following.playing(5);
  assert.equal(following.on, false);
  following.playing(0.05);
  assert.equal(following.on, true, 'caught up by playing faster');

  following.paused();
  following.resumed(60);
  assert.equal(following.on, false, 'a long pause is a place in the past');
  following.live();
  assert.equal(following.on, true);

  following.paused();
  following.resumed(2);
  assert.equal(following.on, true, 'a short pause is not');
  following.sought(0.5);
  assert.equal(following.on, true);
});

test('only a stall together with a silent playlist is an interruption', () => {
  assert.equal(isInterrupted(0, 60_000), false);
  assert.equal(isInterrupted(10_000, 300), false);
  assert.equal(isInterrupted(2_000, 10_000), false);
  assert.equal(isInterrupted(3_000, 5_000), true);
});

test('the shown delay trusts the clock only where it is plausible', () => {
  assert.equal(shownDelay(1.1, 1.0), 1.1);
  assert.equal(shownDelay(null, 1.0), 1.0);
  assert.equal(shownDelay(-0.4, 1.0), 1.0);
  assert.equal(shownDelay(61.1, 1.0), 1.0);
});
