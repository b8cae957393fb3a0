/** In charge of one saved round trip: gives hls.js the manifest that the page has fetched already. */
import Hls from 'hls.js';

/**
 * @param {import('./manifest.js').Source} source
 * @returns {import('hls.js').PlaylistLoaderConstructor} a playlist loader that serves the source's text to
 *   the first request for the manifest, and everything else from the network
 */
export function prefetchedLoader(source) {
  /** @type {string | null} */
  let text = source.text;
  const Loader = /** @type {import('hls.js').PlaylistLoaderConstructor} */ (Hls.DefaultConfig.loader);
  return class extends Loader {
    #destroyed = false;

    /**
     * @override
     * @param {import('hls.js').PlaylistLoaderContext} context
     * @param {import('hls.js').LoaderConfiguration} config
     * @param {import('hls.js').LoaderCallbacks<import('hls.js').PlaylistLoaderContext>} callbacks
     */
    load(context, config, callbacks) {
      if (context.type !== 'manifest' || text === null) {
        super.load(context, config, callbacks);
        return;
      }
      const data = text;
      text = null;
      const now = performance.now();
      this.stats.loading = { start: now, first: now, end: now };
      this.stats.loaded = this.stats.total = data.length;
      // hls.js expects the answer after load() has returned.
      setTimeout(() => {
        if (!this.#destroyed) {
          callbacks.onSuccess({ url: source.url, data, code: 200 }, this.stats, context, null);
        }
      }, 0);
    }

    /** @override */
    destroy() {
      this.#destroyed = true;
      super.destroy();
    }
  };
}
