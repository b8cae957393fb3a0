/**
 * What the page was told: the server's configuration (JSON in the page) and the viewer's or embedder's
 * wishes (query and fragment of the address). Pure; knows nothing of the document.
 */

/**
 * @typedef {object} Asset
 * @property {string} id
 * @property {'vod' | 'live'} kind
 * @property {string} title
 * @property {string} manifest   path of the multivariant playlist, token included
 * @property {string | null} poster
 * @property {string | null} storyboard   path of a video's small pictures, as WebVTT
 * @property {Chapters[]} chapters   of a video, one for each language
 * @property {string | null} annotations   path of a video's, as WebVTT
 * @property {number | null} targetLatency   seconds behind the live edge; null: the playlist's hold-back
 * @property {Theme | null} theme   of the player that the asset names
 */

/**
 * @typedef {object} Theme
 * @property {Record<string, string>} colours   as CSS has them, by the names of the REST API
 * @property {{ src: string, link: string | null } | null} logo
 * @property {boolean} controls
 * @property {boolean} autoplay
 * @property {boolean} loop
 * @property {boolean} title   whether it is shown
 */

/**
 * @typedef {object} Chapters
 * @property {string} language   BCP 47
 * @property {string} src   path of a WebVTT file
 */

/**
 * @typedef {object} Problem   why there is nothing to play, in the server's error shape
 * @property {string} code
 * @property {string} title
 * @property {string | null} detail
 */

/**
 * @typedef {object} Options
 * @property {boolean} autoplay
 * @property {boolean} muted
 * @property {boolean} loop
 * @property {boolean} controls
 * @property {number | null} start   seconds; of a video only
 * @property {number | null} quality   height in pixels; null: automatic
 * @property {string | null} lang   the language of the page around it, BCP 47
 */

/** The page as it is in the source tree, opened without a server to fill it in. */
const PLACEHOLDER = '__SLUICE_CONFIG__';

/** @type {Problem} */
const BROKEN = { code: 'page-broken', title: '', detail: null };

/**
 * @param {string | null | undefined} text   what the page's configuration element holds
 * @returns {{ asset: Asset } | { problem: Problem }}
 */
export function readConfig(text) {
  const value = parseObject(text);
  if (value === null) return { problem: BROKEN };
  if (typeof value.problem === 'object' && value.problem !== null) {
    return { problem: readProblem(value.problem) };
  }
  if (typeof value.manifest !== 'string' || (value.kind !== 'vod' && value.kind !== 'live')) {
    return { problem: BROKEN };
  }
  return {
    asset: {
      id: string(value.id) ?? '',
      kind: value.kind,
      title: string(value.title) ?? '',
      manifest: value.manifest,
      poster: string(value.poster),
      storyboard: string(value.storyboard),
      chapters: readChapters(value.chapters),
      annotations: string(value.annotations),
      targetLatency: positive(value.targetLatency),
      theme: readTheme(value.theme),
    },
  };
}

/**
 * @param {any} value
 * @returns {Theme | null}
 */
function readTheme(value) {
  if (typeof value !== 'object' || value === null) return null;
  const logo = string(value.logo?.src);
  return {
    colours: Object.fromEntries(
      Object.entries(value).filter(([, each]) => typeof each === 'string' && each !== ''),
    ),
    logo: logo === null ? null : { src: logo, link: webAddress(value.logo.link) },
    controls: value.enableControls !== false,
    autoplay: value.forceAutoplay === true,
    loop: value.forceLoop === true,
    title: value.hideTitle !== true,
  };
}

/**
 * The address's wishes, and over them what the theme has settled.
 * @param {Options} options
 * @param {Theme | null} theme
 * @returns {Options}
 */
export function themed(options, theme) {
  if (theme === null) return options;
  return {
    ...options,
    autoplay: options.autoplay || theme.autoplay,
    loop: options.loop || theme.loop,
    controls: options.controls && theme.controls,
  };
}

/**
 * A problem from JSON that may not be one: the page's configuration, or the body of a failed answer
 * (where the code is the last piece of `type`: a path, or the fragment of one).
 * @param {any} value
 * @returns {Problem}
 */
export function readProblem(value) {
  const type = string(value?.type)?.split(/[/#]/).at(-1);
  return {
    code: string(value?.code) ?? (type || 'unknown'),
    title: string(value?.title) ?? '',
    detail: string(value?.detail),
  };
}

/**
 * Reads `?autoplay&t=10` and the fragment form `#autoplay;t=10;hide-controls`; the fragment wins.
 * @param {string} search
 * @param {string} hash
 * @returns {Options}
 */
export function readOptions(search, hash) {
  const given = new URLSearchParams(search);
  const fragment = new URLSearchParams(hash.replace(/^#/, '').replaceAll(';', '&'));
  for (const [name, value] of fragment) given.set(name, value);
  return {
    autoplay: flag(given.get('autoplay'), false),
    muted: flag(given.get('muted'), false),
    loop: flag(given.get('loop'), false),
    controls: flag(given.get('controls'), true) && !flag(given.get('hide-controls'), false),
    start: readTime(given.get('t')),
    quality: readQuality(given.get('quality')),
    lang: given.get('lang') || null,
  };
}

/**
 * @param {string | null} text   `90`, `90.5`, `1m30s`, `1:30` or `1:02:03`
 * @returns {number | null} seconds
 */
export function readTime(text) {
  if (text === null || text.length > 20) return null;
  const units = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$/.exec(text);
  const clock = /^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  const parts = units ?? clock;
  if (text === '' || parts === null) return null;
  return Number(parts[1] ?? 0) * 3600 + Number(parts[2] ?? 0) * 60 + Number(parts[3] ?? 0);
}

/**
 * @param {unknown} value
 * @returns {Chapters[]}
 */
function readChapters(value) {
  return (Array.isArray(value) ? value : []).flatMap((each) => {
    const [language, src] = [string(each?.language), string(each?.src)];
    return language !== null && src !== null ? [{ language, src }] : [];
  });
}

/** @param {string | null} text   `720`, `720p`, or `auto` */
function readQuality(text) {
  const match = /^(\d{2,5})p?$/.exec(text ?? '');
  return match ? Number(match[1]) : null;
}

/**
 * @param {string | null} text
 * @param {boolean} absent
 */
function flag(text, absent) {
  return text === null ? absent : !['0', 'false', 'no', 'off'].includes(text.toLowerCase());
}

/**
 * @param {string | null | undefined} text
 * @returns {Record<string, any> | null}
 */
function parseObject(text) {
  if (!text || text.trim() === PLACEHOLDER) return null;
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {unknown} value */
function string(value) {
  return typeof value === 'string' ? value : null;
}

/**
 * @param {unknown} value
 * @returns {string | null} itself where it leads to a web page
 */
export function webAddress(value) {
  return typeof value === 'string' && /^https?:\/\/[^/]/.test(value) && URL.canParse(value) ? value : null;
}

/** @param {unknown} value */
function positive(value) {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null;
}
