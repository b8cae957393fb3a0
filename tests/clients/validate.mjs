// What outside parsers say of the files in a folder: playlists (*.m3u8), manifests of DASH (*.mpd), tracks (*.mp4, an
// init segment and segments) and films (*.m4v, with as many tracks as they like).
// Argument: the folder. Prints {"<file>": ["<complaint>", …], …} as JSON; a file without complaints is left out.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)
const HLS = require('hls-parser')
const { Parser } = require('m3u8-parser')
const mp4box = await import('mp4box')
const mpdParser = require('mpd-parser')

HLS.setOptions({ strictMode: true, silent: true })
const folder = process.argv[2]
const complaints = {}
const CHECKS = { '.m3u8': playlist, '.mpd': manifest, '.mp4': track, '.m4v': film }

for (const name of readdirSync(folder)) {
  const check = CHECKS[name.slice(name.lastIndexOf('.'))]
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

/** mpd-parser warns of what it can't read; each representation must have segments that follow each other. */
function manifest (path) {
  const found = []
  let parsed = null
  try {
    parsed = mpdParser.parse(readFileSync(path, 'utf8'), {
      manifestUri: 'http://localhost/dash/manifest.mpd',
      eventHandler: ({ type, message }) => found.push(`mpd-parser: ${type}: ${message}`)
    })
  } catch (error) {
    return [`mpd-parser: ${error.message}`]
  }
  const sounds = Object.values(parsed.mediaGroups.AUDIO).flatMap((group) => Object.values(group))
  const all = [...parsed.playlists, ...sounds.flatMap((sound) => sound.playlists)]
  if (all.length === 0) found.push('mpd-parser: no representations')
  for (const { attributes, segments, endList } of all) {
    if (!endList) found.push(`mpd-parser: ${attributes.NAME} does not end`)
    const total = segments.reduce((sum, { duration }) => sum + duration, 0)
    if (Math.abs(total - parsed.duration) > 1) {
      found.push(`mpd-parser: ${attributes.NAME} has ${total} s of ${parsed.duration}`)
    }
  }
  return found
}

/** Every sample must lie within the file, in order of its decode time, and each part begin where the last one ended. */
function track (path) {
  return film(path, 1)
}

function film (path, tracks = null) {
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
  if (info === null || info.tracks.length === 0) return [...found, 'mp4box: no tracks']
  if (tracks !== null && info.tracks.length !== tracks) found.push(`mp4box: ${info.tracks.length} tracks`)
  for (const { id } of info.tracks) {
    const samples = file.getTrackSamplesInfo(id)
    if (samples.length === 0) found.push('mp4box: no samples')
    let end = null
    for (const sample of samples) {
      if (sample.offset + sample.size > data.length) found.push(`mp4box: sample ${sample.number} lies outside`)
      if (end !== null && sample.dts !== end) found.push(`mp4box: sample ${sample.number} at ${sample.dts}, not ${end}`)
      end = sample.dts + sample.duration
    }
  }
  return found.slice(0, 20)
}
