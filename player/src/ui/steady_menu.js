/**
 * In charge of a quality menu that stays open while the player changes level by itself: media-chrome writes
 * the menu anew when the picture's height changes, which takes the focus out of it, which closes it. The
 * news of the new height waits until the menu is closed.
 *
 * Must be called before media-chrome listens to the media element.
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} menu
 */
export function keepMenuOpen(video, menu) {
  let held = false;
  video.addEventListener('resize', (event) => {
    if (menu.hidden) return;
    held = true;
    event.stopImmediatePropagation();
  }, { capture: true });
  new MutationObserver(() => {
    if (!menu.hidden || !held) return;
    held = false;
    video.dispatchEvent(new Event('resize'));
  }).observe(menu, { attributes: true, attributeFilter: ['hidden'] });
}
