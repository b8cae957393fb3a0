// What outside parsers say of the files in a folder: playlists (*.m3u8) and tracks (*.mp4, an init segment and segments).
// Argument: the folder. Prints {"<file>": ["<complaint>", …], …} as JSON; a file without complaints is left out.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)
const HLS = require('hls-parser')
const { Parser } = require('m3u8-parser')
const mp4box = await import('mp4box')

HLS.setOptions({ strictMode: true, silent: true })
const folder = process.argv[2]
const complaints = {}

for (const name of readdirSync(folder)) {
  const check = name.endsWith('.m3u8') ? playlist : name.endsWith('.mp4') ? track : null
  const found = check ? check(join(folder, name)) : []
  if (found.length > 0) complaints[name] = found
}
process.stdout.write(JSON.stringify(complaints) + '\n')

/** hls-parser in its strict mode throws; m3u8-parser warns. */
function playlist (path) {
  const text = readFileSync(path, 'utf8')
  const found = []
  try {
    HLS.parse(text)
  } catch (error) {
    found.push(`hls-parser: ${error.message}`)
  }
  const parser = new Parser()
  for (const level of ['warn', 'error']) parser.on(level, ({ message }) => found.push(`m3u8-parser: ${message}`))
  parser.push(text)
  parser.end()
  return found
}

/** Every sample must lie within the file, in order of its decode time, and each part begin where the last one ended. */
function track (path) {
  const data = readFileSync(path)
  const file = mp4box.createFile()
  const found = []
  let info = null
  file.onError = (module, message) => found.push(`mp4box: ${module}: ${message}`)
  file.onReady = (ready) => { info = ready }
  const buffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.length)
  buffer.fileStart = 0
  file.appendBuffer(buffer)
  file.flush()
  if (info === null || info.tracks.length !== 1) return [...found, 'mp4box: not a single track']
  const samples = file.getTrackSamplesInfo(info.tracks[0].id)
  if (samples.length === 0) found.push('mp4box: no samples')
  let end = null
  for (const sample of samples) {
    if (sample.offset + sample.size > data.length) found.push(`mp4box: sample ${sample.number} lies outside`)
    if (end !== null && sample.dts !== end) found.push(`mp4box: sample ${sample.number} at ${sample.dts}, not ${end}`)
    end = sample.dts + sample.duration
  }
  return found.slice(0, 20)
}
