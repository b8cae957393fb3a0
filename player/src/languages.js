/** Which of several languages somebody would rather have. Pure. */

/**
 * @param {readonly string[]} offered   BCP 47 tags
 * @param {readonly string[]} wanted   the dearest first
 * @returns {number} index into `offered`; -1: none of them
 */
export function nearestLanguage(offered, wanted) {
  for (const wish of wanted) {
    const exact = offered.findIndex((tag) => same(tag, wish));
    if (exact !== -1) return exact;
    const near = offered.findIndex((tag) => same(primary(tag), primary(wish)));
    if (near !== -1) return near;
  }
  return -1;
}

/** @param {string} tag */
function primary(tag) {
  return tag.split('-')[0] ?? '';
}

/**
 * @param {string} one
 * @param {string} other
 */
function same(one, other) {
  return one !== '' && one.toLowerCase() === other.toLowerCase();
}
