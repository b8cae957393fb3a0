/**
 * In charge of where on a live stream's seek bar the pointer is: media-chrome's own preview counts from
 * media time 0, which the sliding window of a live stream has long left behind.
 */

/**
 * @param {HTMLElement} bar
 * @param {(ratio: number) => void} onMove   0: the left end, 1: the right
 */
export function watchPointer(bar, onMove) {
  bar.addEventListener('pointermove', (event) => {
    const { left, width } = trackOf(bar).getBoundingClientRect();
    if (width > 0) onMove(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  });
}

/** @param {HTMLElement} bar   the track lies within it, narrower by its padding */
function trackOf(bar) {
  return bar.shadowRoot?.getElementById('track') ?? bar;
}
