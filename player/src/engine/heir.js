/**
 * In charge of handing a media element from one hls.js instance to another that knows more levels, without
 * a break: the new one reads the playlist first, then takes over the element with all that is buffered, and
 * fetches what comes next.
 */
import Hls from 'hls.js';

/** Nearer than this to the end of what there is, nothing may come that could be fetched next. */
const END_S = 1;

export class Heir {
  #abort = new AbortController();
  #begun = false;

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
    const next = this.#nextPosition();
    const place = before.transferMedia();
    forgetTracks(before);
    before.destroy();
    hls.once(Hls.Events.DESTROYING, () => this.#abort.abort());
    hls.once(Hls.Events.FRAG_BUFFERED, () => {
      this.#begun = true;
      this.#abort.abort();
    });
    onHandedOver(hls);
    hls.attachMedia(place ?? video);
    if (!loading) return;
    // hls.js forgets a place that it need not seek to: one who seeks would be at the beginning again.
    hls.startLoad(next, !video.seeking);
    // Until the first of its media has come, the new instance does not look where the viewer is.
    let asked = next;
    const follow = () => {
      if (this.#begun || video.currentTime === asked) return; // what is on its way is not asked for again
      asked = video.currentTime;
      hls.startLoad(asked, !video.seeking);
    };
    const { signal } = this.#abort;
    for (const event of ['seeking', 'waiting']) video.addEventListener(event, follow, { signal });
  }

  /** Where what is buffered ends; the place that is watched where nothing follows it yet. */
  #nextPosition() {
    const { buffered, currentTime } = this.video;
    const edge = this.before.latestLevelDetails?.edge ?? 0;
    for (let i = 0; i < buffered.length; i++) {
      const holds = buffered.start(i) <= currentTime && currentTime <= buffered.end(i);
      if (holds && buffered.end(i) < edge - END_S) return buffered.end(i);
    }
    return currentTime;
  }

  /** The handing over is off. */
  destroy() {
    this.#abort.abort();
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
