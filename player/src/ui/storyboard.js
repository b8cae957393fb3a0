/**
 * In charge of the small pictures over the seek bar: media-chrome shows them from a metadata track labelled
 * "thumbnails", whose cues are places on a sheet. The track is asked for when somebody first points at the
 * bar: the server makes a storyboard when it is first wanted.
 */

/**
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} bar
 * @param {string | null} url   of the WebVTT file; null: there is none
 */
export function offerStoryboard(video, bar, url) {
  if (url === null) return;
  const ask = () => {
    bar.removeEventListener('pointerenter', ask);
    const track = video.ownerDocument.createElement('track');
    track.kind = 'metadata';
    track.label = 'thumbnails';
    track.default = true;
    track.src = url;
    video.append(track);
    track.track.mode = 'hidden'; // loaded, and nothing shown of it
  };
  bar.addEventListener('pointerenter', ask);
}
