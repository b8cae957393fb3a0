import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askManifest, delayS, growth, isSameBroadcast } from '../../src/engine/manifest.js';

/**
 * @param {number} status
 * @param {string} body
 * @param {Record<string, string>} headers
 * @returns {typeof fetch}
 */
function answering(status, body = '', headers = {}) {
  return async () => new Response(status === 204 ? null : body, { status, headers });
}

const MASTER = '#EXTM3U\n#EXT-X-VERSION:7\n';

/** @type {[string, typeof fetch, object][]} */
const CASES = [
  ['200', answering(200, MASTER), { kind: 'ready', source: { url: '/m', text: MASTER, growing: null } }],
  ['202', answering(202), { kind: 'wait', afterS: null }],
  ['202 with Retry-After', answering(202, '', { 'Retry-After': '2' }), { kind: 'wait', afterS: 2 }],
  ['a Retry-After of a day', answering(202, '', { 'Retry-After': '86400' }), { kind: 'wait', afterS: 60 }],
  ['a Retry-After of nothing', answering(202, '', { 'Retry-After': '0' }), { kind: 'wait', afterS: 0.5 }],
  ['a Retry-After in words', answering(202, '', { 'Retry-After': 'soon' }), { kind: 'wait', afterS: null }],
  ['503', answering(503, 'no', { 'Retry-After': '5' }), { kind: 'lost', afterS: 5 }],
  ['429', answering(429), { kind: 'lost', afterS: null }],
  ['403', answering(403, '{"code":"playback-token-expired","title":"Expired"}'), {
    kind: 'problem', status: 403, problem: { code: 'playback-token-expired', title: 'Expired', detail: null },
  }],
  ['404 without our shape', answering(404, '<h1>no</h1>'), {
    kind: 'problem', status: 404, problem: { code: 'unknown', title: '', detail: null },
  }],
  ['200 that is no playlist', answering(200, '<html>'), {
    kind: 'problem', status: 200, problem: { code: 'server-failed', title: '', detail: null },
  }],
  ['200 without end', answering(200, MASTER + ' '.repeat(1_000_000)), {
    kind: 'problem', status: 200, problem: { code: 'server-failed', title: '', detail: null },
  }],
  ['no network', async () => { throw new TypeError('Failed to fetch'); }, { kind: 'lost', afterS: null }],
];
for (const [name, fetchFn, expected] of CASES) {
  test(`a manifest that answers ${name}`, async () => {
    assert.deepEqual(await askManifest('/m', fetchFn), expected);
  });
}

test('the address after redirects is the one that relative addresses start from', async () => {
  const redirected = async () => Object.defineProperty(
    new Response(MASTER), 'url', { value: 'https://example.org/live/li1/token/t/li1.m3u8' },
  );

  const answer = await askManifest('/live/li1.m3u8', redirected);

  assert.ok(answer.kind === 'ready');
  assert.equal(answer.source.url, 'https://example.org/live/li1/token/t/li1.m3u8');
});

test('a question that is called off counts as no answer', async () => {
  /** @type {typeof fetch} */
  const slow = (_, init) => new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
  });
  const controller = new AbortController();
  const answer = askManifest('/m', slow, controller.signal);
  controller.abort();

  assert.deepEqual(await answer, { kind: 'lost', afterS: null });
});

test('a broadcast is known by its addresses, not by its bit rates', () => {
  const master = (/** @type {string} */ broadcast, bandwidth = 1000) => ({
    url: '/m',
    text: `#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="li1/${broadcast}/audio.m3u8"\n`
      + `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth}\nli1/${broadcast}/video.m3u8\n`,
    growing: null,
  });

  assert.equal(isSameBroadcast(master('br1'), master('br1', 2000)), true);
  assert.equal(isSameBroadcast(master('br1'), master('br2')), false);
});

test('a video that grows is known by its addresses', () => {
  const master = (/** @type {string[]} */ ...names) => ({
    url: '/m',
    text: `#EXTM3U\n${names.map((name) => `#EXT-X-STREAM-INF:BANDWIDTH=1\n${name}/media.m3u8\n`).join('')}`,
    growing: {},
  });

  assert.equal(growth(master('r1/240p'), master('r1/240p')), 'same');
  assert.equal(growth(master('r1/240p'), master('r1/480p', 'r1/240p')), 'more');
  assert.equal(growth(master('r1/240p', 'r1/480p'), master('r1/240p')), 'more');
  assert.equal(growth(master('r1/240p'), master('r2/240p')), 'other');
});

for (const [header, growing] of /** @type {[string | null, Record<string, number> | null][]} */ ([
  [null, null], ['1', {}], ['240p=8.5 480p=2', { '240p': 8.5, '480p': 2 }],
])) {
  test(`what grows, by a header of ${header}`, async () => {
    const headers = new Headers(header === null ? [] : [['Sluice-Growing', header]]);
    const answer = await askManifest('/m', async () => new Response('#EXTM3U\n', { headers }));

    assert.deepEqual(answer.kind === 'ready' && answer.source.growing, growing);
  });
}

test('patience grows, up to a limit', () => {
  const delays = [0, 1, 2, 5, 50].map((attempt) => delayS(attempt, null, 0));

  assert.deepEqual(delays.map((delay) => Math.round(delay * 100) / 100), [1, 1.4, 1.96, 5, 5]);
});

test('the server’s wish comes first, and viewers are spread over a fifth of it', () => {
  assert.equal(delayS(9, 2, 0), 2);
  assert.equal(delayS(0, 2, 1), 2.4);
});
