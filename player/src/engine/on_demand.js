/**
 * In charge of one thing that hls.js does not know: a playlist that still grows may be that of a video. By
 * itself it takes each for a live stream, and brings a viewer who has come to its end back to its beginning.
 */
import Hls from 'hls.js';

export class OnDemandHls extends Hls {
  /** @override */
  get liveSyncPosition() {
    return null;
  }
}
