/** In charge of starting to play where browsers forbid sound before the viewer has touched the page. */

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<'playing' | 'muted' | 'refused'>} `muted`: it plays, but only without its sound
 */
export async function startPlaying(video) {
  if (await tryPlay(video)) return 'playing';
  if (video.muted) return 'refused';
  video.muted = true;
  if (await tryPlay(video)) return 'muted';
  video.muted = false;
  return 'refused';
}

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<boolean>} false when the browser's policy forbids it
 */
async function tryPlay(video) {
  try {
    await video.play();
    return true;
  } catch (error) {
    // Anything else (a new source, a pause meanwhile) is somebody's wish, not a refusal.
    return !(error instanceof DOMException && error.name === 'NotAllowedError');
  }
}
