/**
 * In charge of media-chrome under a Content-Security-Policy without 'unsafe-inline'.
 *
 * media-chrome writes <style> elements with text into its shadow roots, which such a policy refuses. Here
 * every component's template is changed, before the component is defined, so that its <style> elements are
 * empty (the policy allows exactly that, by the hash of nothing), and their rules are put in through the
 * CSSOM, which no policy restricts, whenever the component enters the document. They are real <style>
 * elements because media-chrome looks for them to add rules of its own.
 *
 * Must be imported before any media-chrome module.
 */

const STYLE = /<style([^>]*)>([^]*?)<\/style>/g;
const MARK = 'data-rules';

/** @type {string[][]} rules by the number that a <style> element carries in its mark */
const sheets = [];
/** @type {Map<string, number>} CSS text → number */
const numbers = new Map();

/**
 * @param {string} html   a component's template
 * @returns {string} the same with empty, marked style elements
 */
function emptyStyles(html) {
  return html.replaceAll(STYLE, (whole, attributes, css) => {
    if (attributes.includes(MARK)) return whole; // came through a base class's template
    let number = numbers.get(css);
    if (number === undefined) {
      number = sheets.push(splitRules(css)) - 1;
      numbers.set(css, number);
    }
    return `<style${attributes} ${MARK}="${number}"></style>`;
  });
}

/**
 * @param {string} css   well-formed, without braces or comment signs in strings
 * @returns {string[]} its top-level rules
 */
export function splitRules(css) {
  const text = css.replaceAll(/\/\*[^]*?\*\//g, '');
  const rules = [];
  let depth = 0;
  let start = 0;
  for (const { 0: brace, index } of text.matchAll(/[{}]/g)) {
    depth += brace === '{' ? 1 : -1;
    if (depth > 0) continue;
    rules.push(text.slice(start, index + 1).trim());
    start = index + 1;
  }
  return rules;
}

/** @param {ShadowRoot | null} root */
function fillStyles(root) {
  for (const style of root?.querySelectorAll('style') ?? []) {
    const rules = sheets[Number(style.getAttribute(MARK) ?? -1)];
    if (!rules || !style.sheet || style.sheet.cssRules.length > 0) continue;
    for (const rule of rules) insertRule(style.sheet, rule);
  }
}

/**
 * @param {CSSStyleSheet} sheet
 * @param {string} rule
 */
function insertRule(sheet, rule) {
  try {
    sheet.insertRule(rule, sheet.cssRules.length);
  } catch (error) {
    // A rule for another browser (`@-moz-document`): in a style element it would be dropped as silently.
    if (!(error instanceof DOMException)) throw error;
  }
}

/** @param {CustomElementConstructor & { getTemplateHTML?: (...args: any[]) => string }} component */
function prepare(component) {
  const template = component.getTemplateHTML;
  if (template === undefined) return;
  if (Object.hasOwn(component, 'getTemplateHTML')) {
    component.getTemplateHTML = function getTemplateHTML(...args) {
      return emptyStyles(template.apply(this, args));
    };
  }
  const { connectedCallback } = component.prototype;
  component.prototype.connectedCallback = function connected() {
    fillStyles(this.shadowRoot);
    connectedCallback?.call(this);
  };
}

/** @param {CustomElementRegistry} registry */
export function makeStrict(registry) {
  const define = registry.define.bind(registry);
  registry.define = (name, component, options) => {
    prepare(component);
    define(name, component, options);
  };
}

if (globalThis.customElements) makeStrict(globalThis.customElements);
