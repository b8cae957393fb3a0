/** In charge of what the page shows besides media-chrome's elements: notices, title, poster, live badge. */
import { CHAPTERS, LINKS, NOTICES, RETRY, UNMUTE, behindWords, delayWords, problemWords } from '../words.js';
import { colour, showLogo } from './theme.js';

/** @typedef {import('../state/phases.js').Phase} Phase */
/** @typedef {import('../state/player.js').Failure} Failure */

/** Phases in which something goes on that may end by itself. */
const BUSY = new Set(['asking', 'waiting', 'interrupted', 'lost']);

export class View {
  /** @type {string | null} */
  #posterUrl = null;

  /** @param {Document} page */
  constructor(page) {
    const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (page.getElementById(id));
    this.page = page;
    this.root = page.documentElement;
    this.controller = find('controller');
    this.video = /** @type {HTMLVideoElement} */ (find('video'));
    this.poster = find('poster');
    this.title = find('title');
    this.logo = find('logo');
    this.unmute = find('unmute');
    this.delay = find('delay');
    this.previewBehind = find('preview-behind');
    this.seekBar = find('seek-range');
    this.settings = find('settings');
    this.chapters = find('chapters');
    this.chaptersButton = find('chapters-button');
    this.chaptersButton.setAttribute('aria-label', CHAPTERS);
    this.chapters.setAttribute('aria-label', CHAPTERS);
    this.annotations = find('annotations');
    this.annotations.setAttribute('aria-label', LINKS);
    this.marks = find('marks');
    this.notice = find('notice');
    this.noticeTitle = find('notice-title');
    this.noticeDetail = find('notice-detail');
    this.retry = find('notice-retry');
    this.retry.textContent = RETRY;
    this.unmute.textContent = UNMUTE;
  }

  /**
   * @param {import('../config.js').Asset} asset
   * @param {import('../config.js').Options} options
   */
  open(asset, options) {
    this.page.title = asset.title || this.page.title;
    const { mediaSession } = navigator;
    if (mediaSession) mediaSession.metadata = new MediaMetadata({ title: asset.title });
    this.title.textContent = asset.title;
    this.title.hidden = asset.title === '' || asset.theme?.title === false;
    this.root.dataset.kind = asset.kind;
    this.root.classList.toggle('bare', !options.controls);
    this.video.muted = this.video.defaultMuted = options.muted;
    this.video.loop = options.loop && asset.kind === 'vod';
    if (asset.theme) {
      colour(this.root.style, asset.theme, (property, value) => CSS.supports(property, value));
      showLogo(this.logo, asset.theme.logo);
    }
    this.controller.hidden = false;
    this.#posterUrl = asset.poster;
    if (!options.autoplay) this.#showPoster();
  }

  /** Shows the poster if there is one by now; a broken picture is never seen. */
  #showPoster() {
    if (this.#posterUrl === null || !this.poster.hidden) return;
    const image = new Image();
    image.addEventListener('load', () => {
      this.poster.setAttribute('src', image.src);
      this.poster.hidden = false;
    });
    image.src = this.#posterUrl;
  }

  /**
   * @param {Phase} phase
   * @param {'vod' | 'live'} kind
   * @param {Failure | null} failure
   */
  showPhase(phase, kind, failure) {
    this.root.dataset.phase = phase;
    if (phase === 'waiting') this.#showPoster();
    if (phase === 'failed' && failure) this.#showNotice(problemWords(failure.problem, failure.status));
    else if (phase in NOTICES) this.#showNotice(NOTICES[/** @type {keyof typeof NOTICES} */ (phase)][kind]);
    else this.#showNotice(null, phase === 'asking');
    this.notice.classList.toggle('busy', BUSY.has(phase));
  }

  /** @param {import('../config.js').Problem} problem   the whole page is about it */
  showProblem(problem) {
    this.showPhase('failed', 'vod', { problem, status: 0 });
  }

  /**
   * @param {(import('../words.js').Notice & { retry?: boolean }) | null} words
   * @param {boolean} [wordless]   a spinner alone
   */
  #showNotice(words, wordless = false) {
    this.notice.hidden = words === null && !wordless;
    this.notice.setAttribute('role', words?.retry === undefined ? 'status' : 'alert');
    this.noticeTitle.textContent = words?.title ?? '';
    this.noticeDetail.textContent = words?.detail ?? '';
    this.retry.hidden = !words?.retry;
  }

  /** @param {ReturnType<import('../state/live_edge.js').LiveEdge['status']>} status   null: not on air */
  showLive(status) {
    this.root.dataset.live = status === null ? 'off' : status.following ? 'edge' : 'past';
    if (status === null) return;
    const words = status.following ? delayWords(status.delayS) : behindWords(status.behindS);
    if (this.delay.textContent === words) return;
    this.delay.textContent = words;
    const what = status.following ? 'behind the event' : 'from live';
    this.delay.setAttribute('aria-label', `${words} ${what}`);
  }

  /** @param {number} count   with a single one there is nothing to choose */
  showLevels(count) {
    this.root.classList.toggle('one-level', count < 2);
  }

  /** @param {number | null} seconds   before live, of the place under the pointer */
  showPreviewBehind(seconds) {
    this.previewBehind.textContent = seconds === null ? '' : behindWords(seconds);
  }

  /** @param {boolean} shown */
  offerUnmute(shown) {
    this.unmute.hidden = !shown;
  }
}
