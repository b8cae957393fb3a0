// Bundles a page's script with what it imports from here. Arguments: entry, folder for the output (bundle.js).
// The bundler is the player's.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const player = createRequire(join(here, '../../player/package.json'))
const { build } = await import(pathToFileURL(player.resolve('vite')).href)
const [entry, outDir] = process.argv.slice(2)

await build({
  root: here,
  configFile: false,
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"' },
  build: { outDir, minify: false, lib: { entry: join(here, entry), formats: ['iife'], name: 'bundle', fileName: () => 'bundle.js' } },
})
