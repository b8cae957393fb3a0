import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig, readOptions, readProblem, readTime, themed } from '../src/config.js';

const ASSET = {
  id: 'vi1', kind: 'vod', title: 'A title', manifest: '/vod/vi1/hls/manifest.m3u8',
  poster: '/vod/vi1/thumbnail.jpg', storyboard: '/vod/vi1/storyboard.vtt', targetLatency: null,
  annotations: '/vod/vi1/annotations.vtt',
  chapters: [{ language: 'en', src: '/vod/vi1/chapters/en.vtt' }], theme: null,
};

test('a whole configuration is read as it is', () => {
  assert.deepEqual(readConfig(JSON.stringify(ASSET)), { asset: ASSET });
});

test('fields of the wrong type fall back, and do not break the page', () => {
  const odd = {
    kind: 'live', manifest: '/m', title: 7, poster: {}, targetLatency: -1, chapters: [null, { language: 7 }],
  };

  assert.deepEqual(readConfig(JSON.stringify(odd)), {
    asset: {
      id: '', kind: 'live', title: '', manifest: '/m', poster: null, storyboard: null, targetLatency: null,
      chapters: [], annotations: null, theme: null,
    },
  });
});

test('the looks of a player are read, and what is no web address is no link', () => {
  const given = { text: 'red', link: '', enableControls: false, hideTitle: true, forceLoop: true };
  const read = (/** @type {unknown} */ theme) => {
    const config = /** @type {any} */ (readConfig(JSON.stringify({ ...ASSET, theme })));
    return config.asset.theme;
  };

  assert.deepEqual(read({ ...given, logo: { src: '/logo.png', link: 'https://example.com/' } }), {
    colours: { text: 'red' }, logo: { src: '/logo.png', link: 'https://example.com/' },
    controls: false, autoplay: false, loop: true, title: false,
  });
  for (const link of ['javascript:alert(1)', 'https://', 7, null]) {
    assert.equal(read({ logo: { src: '/logo.png', link } }).logo.link, null);
  }
  assert.equal(read('red'), null);
});

test('a player settles what the address may not undo', () => {
  const asked = readOptions('?autoplay=0&loop=0&controls=1', '');
  const theme = { colours: {}, logo: null, controls: false, autoplay: true, loop: true, title: true };

  assert.deepEqual(themed(asked, theme), { ...asked, controls: false, autoplay: true, loop: true });
  assert.deepEqual(themed(asked, null), asked);
});

for (const text of [null, undefined, '', '__SLUICE_CONFIG__', '{', '[]', '7', 'null', '{"kind":"vod"}',
  '{"manifest":"/m","kind":"tape"}']) {
  test(`a page that holds ${text} has nothing to play`, () => {
    const config = readConfig(text);

    assert.ok('problem' in config);
    assert.equal(config.problem.code, 'page-broken');
  });
}

test('a problem takes the place of the configuration', () => {
  const problem = { code: 'resource-not-found', title: 'Not found.', detail: null };

  assert.deepEqual(readConfig(JSON.stringify({ problem })), { problem });
});

test('a problem without a code is named by the end of its type', () => {
  const body = { type: 'https://example.org/errors/playback-token-expired', title: 'Expired', status: 403 };

  assert.deepEqual(readProblem(body), { code: 'playback-token-expired', title: 'Expired', detail: null });
  assert.equal(readProblem({ type: '/docs#playback-token-invalid' }).code, 'playback-token-invalid');
  assert.equal(readProblem(null).code, 'unknown');
  assert.equal(readProblem({ type: '' }).code, 'unknown');
});

const DEFAULTS = {
  autoplay: false, muted: false, loop: false, controls: true, start: null, quality: null, lang: null,
};

/** @type {[string, string, object][]} query, fragment, what differs from the defaults */
const ADDRESSES = [
  ['', '', {}],
  ['?autoplay&muted&loop', '', { autoplay: true, muted: true, loop: true }],
  ['?autoplay=1&muted=true&loop=0', '', { autoplay: true, muted: true }],
  ['?controls=false', '', { controls: false }],
  ['?controls=0', '', { controls: false }],
  ['?controls', '', {}],
  ['?t=90', '', { start: 90 }],
  ['?quality=720p', '', { quality: 720 }],
  ['?quality=auto', '', {}],
  ['?quality=9999999', '', {}],
  ['', '#autoplay;muted;t=10;hide-controls', { autoplay: true, muted: true, start: 10, controls: false }],
  ['?t=5', '#t=10', { start: 10 }],
  ['?token=abc&unknown=1', '#', {}],
];
for (const [search, hash, differs] of ADDRESSES) {
  test(`wishes in ${search}${hash}`, () => {
    assert.deepEqual(readOptions(search, hash), { ...DEFAULTS, ...differs });
  });
}

/** @type {[string | null, number | null][]} */
const TIMES = [
  ['0', 0], ['90', 90], ['90.5', 90.5], ['90s', 90], ['1m30s', 90], ['1h2m3s', 3723], ['2m', 120],
  ['1:30', 90], ['1:02:03', 3723], [null, null], ['', null], ['soon', null], ['-5', null], ['1e9', null],
  ['Infinity', null], ['1'.repeat(21), null],
];
for (const [text, seconds] of TIMES) {
  test(`the time ${text}`, () => assert.equal(readTime(text), seconds));
}
