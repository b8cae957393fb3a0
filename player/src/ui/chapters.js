/**
 * In charge of chapters: a track that media-chrome reads to part the seek bar and to name what is under the
 * pointer, and a menu to go to one.
 */
import { nearestLanguage } from '../languages.js';
import { clockWords } from '../words.js';

/**
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} menu
 * @param {HTMLElement} button   opens it
 * @param {readonly import('../config.js').Chapters[]} chapters   one for each language
 * @param {readonly string[]} languages   of the viewer, the dearest first
 */
export function offerChapters(video, menu, button, chapters, languages) {
  const index = nearestLanguage(chapters.map(({ language }) => language), languages);
  const chosen = chapters[Math.max(0, index)];
  if (!chosen) return;
  const element = addTrack(video, chosen);
  element.addEventListener('load', () => {
    // media-chrome knew of no such track when it began to listen
    video.textTracks.dispatchEvent(new Event('change'));
    const cues = /** @type {VTTCue[]} */ ([...element.track.cues ?? []]);
    if (cues.length > 0) fillMenu(video, menu, button, cues);
  });
}

/**
 * @param {HTMLVideoElement} video
 * @param {import('../config.js').Chapters} chapters
 */
function addTrack(video, { language, src }) {
  const element = video.ownerDocument.createElement('track');
  element.kind = 'chapters';
  element.srclang = language;
  element.default = true;
  element.src = src;
  video.append(element);
  element.track.mode = 'hidden'; // loaded, and nothing shown of it
  return element;
}

/**
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} menu
 * @param {HTMLElement} button
 * @param {VTTCue[]} cues
 */
function fillMenu(video, menu, button, cues) {
  const items = cues.map((cue) => menuItem(video.ownerDocument, cue));
  menu.append(...items);
  button.hidden = false;
  const mark = () => {
    if (!menu.hidden) markCurrent(items, cues, video.currentTime);
  };
  video.addEventListener('timeupdate', mark);
  new MutationObserver(mark).observe(menu, { attributes: true, attributeFilter: ['hidden'] });
  // The menu tells only of a change: who is in a chapter and wants its beginning changes nothing.
  for (const type of ['click', 'keydown']) {
    menu.addEventListener(type, (event) => {
      if (event instanceof KeyboardEvent && event.key !== 'Enter' && event.key !== ' ') return;
      const cue = cues[items.findIndex((item) => event.composedPath().includes(item))];
      if (!cue) return;
      video.currentTime = cue.startTime;
      video.dispatchEvent(new Event('timeupdate'));
    }, { capture: true });
  }
}

/**
 * @param {Document} page
 * @param {VTTCue} cue
 */
function menuItem(page, cue) {
  const item = page.createElement('media-chrome-menu-item');
  item.setAttribute('type', 'radio');
  item.setAttribute('value', String(cue.startTime));
  const [name, time] = [page.createElement('span'), page.createElement('span')];
  name.textContent = cue.getCueAsHTML().textContent;
  time.textContent = clockWords(cue.startTime);
  time.className = 'chapter-time';
  item.append(name, time);
  return item;
}

/**
 * @param {Element[]} items
 * @param {VTTCue[]} cues
 * @param {number} time
 */
function markCurrent(items, cues, time) {
  const current = cues.findLastIndex((cue) => cue.startTime <= time);
  items.forEach((item, index) => Object.assign(item, { checked: index === current }));
}
