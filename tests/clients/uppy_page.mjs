// For a page: Uppy and its tus plugin, as they are published.
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

Object.assign(globalThis, { Uppy, Tus })
