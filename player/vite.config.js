import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

/**
 * Lays a compressed twin beside every file large enough to gain by it, so that the server need not
 * compress on each request.
 * @returns {import('vite').Plugin}
 */
function precompressed() {
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
  return {
    name: 'precompressed',
    apply: 'build',
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle).filter((file) => /assets\/.*\.(js|css)$/.test(file))) {
        const data = readFileSync(`${dir}/${name}`);
        writeFileSync(`${dir}/${name}.gz`, gzipSync(data, { level: 9 }));
        writeFileSync(`${dir}/${name}.br`, brotliCompressSync(data, quality));
      }
    },
  };
}

// The server answers with dist/index.html for every watch page and serves the rest under /player/,
// where hashed names may be kept for ever.
export default defineConfig({
  base: '/player/',
  plugins: [precompressed()],
  build: {
    target: ['chrome109', 'firefox115', 'safari15'],
    assetsInlineLimit: 0, // data: URLs would need a wider Content-Security-Policy
    chunkSizeWarningLimit: 850, // kB; hls.js is three quarters of it
    license: { fileName: 'licenses.md' }, // what the bundle owes to the libraries in it
    modulePreload: false, // one chunk
  },
});
