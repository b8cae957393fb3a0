/** In charge of how the page looks where its asset names a player: colours, and a logo. */

/** What a colour of the server's is on the page. Properties of this page's style sheet and media-chrome's. */
const PROPERTIES = /** @type {const} */ ({
  text: ['--text', '--media-primary-color'],
  link: ['--accent'],
  trackPlayed: ['--media-range-bar-color'],
  trackUnplayed: ['--media-time-range-buffered-color'],
  trackBackground: ['--media-range-track-background'],
  backgroundBottom: ['--panel'],
});

/**
 * Sets what the theme has and a browser can read; the rest keeps the page's own looks.
 * @param {CSSStyleDeclaration} style   of the root element
 * @param {import('../config.js').Theme} theme
 * @param {(property: string, value: string) => boolean} supports   CSS.supports
 */
export function colour(style, theme, supports) {
  for (const [name, properties] of Object.entries(PROPERTIES)) {
    const value = theme.colours[name];
    if (!value || !supports('color', value)) continue;
    for (const property of properties) style.setProperty(property, value);
  }
}

/**
 * A picture in the corner, and a link where the theme has one.
 * @param {HTMLElement} corner
 * @param {import('../config.js').Theme['logo']} logo
 */
export function showLogo(corner, logo) {
  if (logo === null) return;
  const { ownerDocument } = corner;
  const image = ownerDocument.createElement('img');
  image.src = logo.src;
  image.alt = '';
  if (logo.link === null) {
    corner.append(image);
  } else {
    const link = ownerDocument.createElement('a');
    link.href = logo.link;
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    link.setAttribute('aria-label', new URL(logo.link).hostname);
    link.append(image);
    corner.append(link);
  }
  corner.hidden = false;
}
