import assert from 'node:assert/strict';
import test from 'node:test';
import { readAnnotation } from '../../src/ui/annotations.js';

const BASE = 'https://video.example/vod/vi1/annotations.vtt';
const LINK = 'https://shop.example/a?b=1';

test('an annotation has a title, a link and perhaps a picture beside its file', () => {
  const read = (/** @type {object} */ value) => readAnnotation(JSON.stringify(value), BASE);
  const title = '<b>More</b>';
  assert.deepEqual(read({ title, link: LINK }), { title, link: LINK, image: null });
  const image = 'thumbnail.jpg?time=1';
  assert.deepEqual(read({ title: '', link: LINK, image }), {
    title: '', link: LINK, image: 'https://video.example/vod/vi1/thumbnail.jpg?time=1',
  });
});

const LINKS = [
  'javascript:alert(1)', 'data:text/html,a', '//a.example/', '/local', 'ftp://a.example/', 'https://',
  ' https://a', 7,
];

for (const text of [
  '', 'nothing', 'null', '[]', '{}', '{"title": "a"}', '{"title": 1, "link": "https://a.example/"}',
  ...LINKS.map((link) => JSON.stringify({ title: 'a', link })),
]) {
  test(`no annotation: ${text}`, () => assert.equal(readAnnotation(text, BASE), null));
}
