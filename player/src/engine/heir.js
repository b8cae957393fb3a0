/**
 * In charge of handing a media element from one hls.js instance to another that knows more levels, without
 * a break: the new one reads the playlist first, then takes over the element with all that is buffered, and
 * fetches what comes next.
 */
import Hls from 'hls.js';

export class Heir {
  /**
   * @param {HTMLVideoElement} video
   * @param {Hls} before
   * @param {string} url
   * @param {(settings: Partial<import('hls.js').HlsConfig>) => Hls} create
   * @param {(hls: Hls) => void} onHandedOver   the one before is gone
   */
  constructor(video, before, url, create, onHandedOver) {
    this.video = video;
    this.before = before;
    const shown = before.subtitleTracks[before.subtitleTrack]?.lang;
    this.hls = create({ autoStartLoad: false, subtitlePreference: { lang: shown ?? 'off' } });
    this.hls.once(Hls.Events.MANIFEST_PARSED, () => this.#takeOver(onHandedOver));
    this.hls.loadSource(url);
  }

  /** @param {(hls: Hls) => void} onHandedOver */
  #takeOver(onHandedOver) {
    const { hls, before, video } = this;
    const loading = before.loadingEnabled;
    hls.bandwidthEstimate = before.bandwidthEstimate;
    const place = before.transferMedia();
    forgetTracks(before);
    before.destroy();
    onHandedOver(hls);
    hls.attachMedia(place ?? video);
    // Without a place, to which hls.js would seek: it fetches the first segment, and goes on where the
    // viewer is once that has come. Asked for another one before, it would stand still.
    if (loading) hls.startLoad(-1, true);
  }

  /** The handing over is off. */
  destroy() {
    this.hls.destroy();
  }
}

/**
 * An instance that gives its media away leaves its caption tracks in the element.
 * @param {Hls} hls
 */
function forgetTracks(hls) {
  for (const { trackNode } of hls.allSubtitleTracks) {
    if (!trackNode) continue;
    trackNode.track.mode = 'hidden'; // Chrome shows the last cue of a showing one for ever
    trackNode.remove();
  }
}
