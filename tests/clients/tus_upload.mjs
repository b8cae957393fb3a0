// Uploads a file with tus-js-client. Arguments: endpoint, file, options as JSON. Prints what happened as JSON.
// With "stopAfter" bytes the upload is abandoned there and its URL printed, to be gone on with as "uploadUrl"; of
// parallel uploads the URLs of the parts, to be gone on with as "previous".
import { createReadStream, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PassThrough } from 'node:stream'

const tus = createRequire(import.meta.url)('tus-js-client')
const [endpoint, path, given] = process.argv.slice(2)
const { stopAfter, previous, ...options } = JSON.parse(given ?? '{}')
const print = (result) => process.stdout.write(JSON.stringify(result) + '\n')

// a file's stream has a size, which a length that is told later must not have
const file = createReadStream(path)
const source = options.uploadLengthDeferred ? file.pipe(new PassThrough()) : file

// what a page keeps in its storage to go on later
let kept = null
const urlStorage = {
  addUpload: async (_fingerprint, upload) => {
    kept = upload
    return 'kept'
  },
  removeUpload: async () => {},
  findUploadsByFingerprint: async () => [],
  findAllUploads: async () => [],
}

const upload = new tus.Upload(source, {
  endpoint,
  urlStorage,
  uploadSize: options.uploadLengthDeferred || options.parallelUploads ? undefined : statSync(path).size,
  retryDelays: [100, 200, 500, 1000, 2000, 3000],
  onError: (error) => {
    print({ error: String(error.message), status: error.originalResponse?.getStatus() ?? null })
    process.exit(1)
  },
  onProgress: (sent) => {
    if (stopAfter && sent >= stopAfter) {
      upload.abort().then(() => {
        print({ url: upload.url, parallelUploadUrls: kept?.parallelUploadUrls ?? null })
        process.exit(0)
      })
    }
  },
  onSuccess: ({ lastResponse } = {}) =>
    print({ url: upload.url, video: lastResponse?.getHeader('Sluice-Video-Id') ?? null }),
  ...options,
})
if (previous) upload.resumeFromPreviousUpload({ parallelUploadUrls: previous, metadata: {}, urlStorageKey: 'kept' })
upload.start()
