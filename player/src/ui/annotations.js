/**
 * In charge of annotations: links that belong to stretches of a video. They come as a metadata track, whose
 * cues hold JSON; each is a card over the picture while it lasts, and a mark on the seek bar where it begins.
 */
import { webAddress } from '../config.js';
import { CLOSE } from '../words.js';

const MOST_CARDS = 3; // at a time: more would hide the picture

/**
 * @typedef {object} Annotation
 * @property {string} title
 * @property {string} link   http or https
 * @property {string | null} image   of our own
 */

/**
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} cards
 * @param {HTMLElement} marks   lies over the seek bar
 * @param {string | null} src   of the WebVTT file; null: there are none
 */
export function offerAnnotations(video, cards, marks, src) {
  if (src === null) return;
  const element = video.ownerDocument.createElement('track');
  element.kind = 'metadata';
  element.label = 'annotations';
  element.src = src;
  video.append(element);
  const { track } = element;
  track.mode = 'hidden'; // loaded, and told of
  const closed = new Set();
  const show = () => {
    const now = /** @type {VTTCue[]} */ ([...track.activeCues ?? []]);
    showCards(cards, now.filter((cue) => !closed.has(cue)), element.src, (cue) => {
      closed.add(cue);
      show();
    });
  };
  track.addEventListener('cuechange', show);
  const mark = () => showMarks(marks, /** @type {VTTCue[]} */ ([...track.cues ?? []]), video.duration);
  element.addEventListener('load', mark);
  video.addEventListener('durationchange', mark);
}

/**
 * @param {string} text   of a cue
 * @param {string} base   of the file
 * @returns {Annotation | null} null: it is no annotation, or its link leads to no web page
 */
export function readAnnotation(text, base) {
  try {
    const { title, link, image } = JSON.parse(text);
    const address = webAddress(link);
    if (typeof title !== 'string' || address === null) return null;
    return { title, link: address, image: typeof image === 'string' ? new URL(image, base).href : null };
  } catch {
    return null;
  }
}

/**
 * Cards that stay are left as they are: somebody may be on the way to one.
 * @param {HTMLElement} cards
 * @param {VTTCue[]} cues   of now
 * @param {string} base
 * @param {(cue: VTTCue) => void} onClose
 */
function showCards(cards, cues, base, onClose) {
  const wanted = new Map(cues.slice(0, MOST_CARDS).map((cue) => [cue.id, cue]));
  for (const card of /** @type {HTMLElement[]} */ ([...cards.children])) {
    if (!wanted.delete(card.dataset.cue ?? '')) card.remove();
  }
  for (const [id, cue] of wanted) {
    const annotation = readAnnotation(cue.text, base);
    if (annotation) cards.append(makeCard(cards.ownerDocument, id, annotation, () => onClose(cue)));
  }
}

/**
 * @param {Document} page
 * @param {string} id   of the cue
 * @param {Annotation} annotation
 * @param {() => void} onClose
 */
function makeCard(page, id, { title, link, image }, onClose) {
  const item = page.createElement('div');
  item.className = 'annotation';
  item.dataset.cue = id;
  const anchor = page.createElement('a');
  const { host } = new URL(link);
  Object.assign(anchor, { href: link, target: '_blank', rel: 'noopener noreferrer', title: host });
  if (image !== null) anchor.append(Object.assign(page.createElement('img'), { src: image, alt: '' }));
  const name = page.createElement('span');
  name.textContent = title; // never as HTML: anybody may have written it
  anchor.append(name);
  anchor.addEventListener('click', () => {
    anchor.dispatchEvent(new CustomEvent('mediapauserequest', { bubbles: true, composed: true }));
  });
  const close = page.createElement('button');
  close.type = 'button';
  close.textContent = '×';
  close.setAttribute('aria-label', CLOSE);
  close.addEventListener('click', onClose);
  item.append(anchor, close);
  return item;
}

/**
 * @param {HTMLElement} marks
 * @param {VTTCue[]} cues
 * @param {number} duration   seconds; of a video that is not known yet, no number
 */
function showMarks(marks, cues, duration) {
  const within = duration > 0 && duration < Infinity ? cues.filter((cue) => cue.startTime < duration) : [];
  marks.replaceChildren(...within.map((cue) => {
    const mark = marks.ownerDocument.createElement('i');
    mark.style.left = `${(100 * cue.startTime) / duration}%`;
    return mark;
  }));
}
