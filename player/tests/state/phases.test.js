import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEXT, nextPhase } from '../../src/state/phases.js';

const PHASES = /** @type {import('../../src/state/phases.js').Phase[]} */ (Object.keys(NEXT));

test('every phase can be left, and every phase can be reached', () => {
  const reached = new Set(PHASES.flatMap((phase) => Object.values(NEXT[phase])));

  assert.deepEqual([...reached].sort(), [...PHASES].sort());
  for (const phase of PHASES) assert.ok(Object.keys(NEXT[phase]).length > 0, phase);
});

test('a failure needs the viewer', () => {
  for (const happening of /** @type {const} */ (['wait', 'playable', 'lost', 'ended', 'resumed'])) {
    assert.equal(nextPhase('failed', happening), 'failed');
  }
  assert.equal(nextPhase('failed', 'retry'), 'asking');
});

test('an ended stream stays ended until the next broadcast', () => {
  assert.equal(nextPhase('ended', 'wait'), 'ended');
  assert.equal(nextPhase('ended', 'lost'), 'ended');
  assert.equal(nextPhase('ended', 'problem'), 'ended');
  assert.equal(nextPhase('ended', 'playable'), 'open');
});
