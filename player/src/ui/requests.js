/**
 * In charge of the viewer's wishes: media-chrome's elements and shortcuts only ask, by events; what a live
 * stream or our own state needs done differently is caught here before media-chrome acts on it.
 */

/** @typedef {import('../state/player.js').Player} Player */

const KEYS = new Set([' ', 'k', 'm', 'f', 'c', 'j', 'l', 'p', '<', '>',
  'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']);

/**
 * @param {Document} page
 * @param {HTMLVideoElement} video
 * @param {Player} player
 * @param {import('../state/captions.js').Captions} captions
 */
export function interceptRequests(page, video, player, captions) {
  /**
   * True: it is done, media-chrome must not do it again.
   * @type {Record<string, (event: CustomEvent) => boolean | void>}
   */
  const handlers = {
    mediaplayrequest: () => player.play(),
    mediapauserequest: () => player.pause(),
    mediaseekrequest: ({ detail }) => {
      video.currentTime = player.engine?.live ? player.edge.sought(Number(detail)) : Number(detail);
      // media-chrome counts the next step from the last time it was told of; the browser tells only when the
      // seek is done, and two quick steps would be one
      video.dispatchEvent(new Event('timeupdate'));
      return true;
    },
    mediaseektoliverequest: () => {
      const position = player.edge.goLive();
      if (position !== null) video.currentTime = position;
      return true;
    },
    // media-chrome would show the first there is
    mediatogglesubtitlesrequest: () => {
      captions.toggle(video.textTracks);
      return true;
    },
    // At the live edge the catch-up loop owns the speed.
    mediaplaybackraterequest: () => player.edge.status()?.following === true,
  };
  for (const [type, handler] of Object.entries(handlers)) {
    page.addEventListener(type, (event) => {
      if (handler(/** @type {CustomEvent} */ (event))) event.stopImmediatePropagation();
    }, { capture: true });
  }
  for (const type of ['mediashowsubtitlesrequest', 'mediadisablesubtitlesrequest']) {
    page.addEventListener(type, () => captions.chosen(video.textTracks)); // media-chrome has done it by now
  }
}

/**
 * Shortcuts work from the start, not only after a click into the player: keys pressed while nothing has
 * the focus are given to the controller.
 * @param {Document} page
 * @param {HTMLElement} controller
 */
export function forwardKeys(page, controller) {
  for (const type of ['keydown', 'keyup']) {
    page.addEventListener(type, (event) => {
      const { key, ctrlKey, metaKey, altKey, target } = /** @type {KeyboardEvent} */ (event);
      if (target !== page.body || ctrlKey || metaKey || altKey || !KEYS.has(key)) return;
      event.preventDefault();
      controller.dispatchEvent(new KeyboardEvent(type, { key, bubbles: false }));
    });
  }
}
