import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeStrict, splitRules } from '../../src/ui/strict_styles.js';

test('a style sheet is split into its rules', () => {
  const css = `
    :host { color: red; } /* { a comment } */
    @media (width > 1px) { a { b: c } d { e: f } }
    #x::part(y) {}
  `;

  assert.deepEqual(splitRules(css), [
    ':host { color: red; }', '@media (width > 1px) { a { b: c } d { e: f } }', '#x::part(y) {}',
  ]);
});

test('templates come out with empty style elements, once, also through base classes', () => {
  /** @type {any} */
  const defined = {};
  const registry = /** @type {any} */ ({
    define: (/** @type {string} */ name, /** @type {any} */ component) => { defined[name] = component; },
  });
  makeStrict(registry);
  class Base {
    static getTemplateHTML() {
      return '<style>a{}</style><b></b><style id="row" media="print">c{}</style>';
    }
  }
  class Derived extends Base {
    /** @override */
    static getTemplateHTML() {
      return `${super.getTemplateHTML()}<style>a{}</style>`;
    }
  }
  registry.define('x-base', Base);
  registry.define('x-derived', Derived);
  registry.define('x-plain', class {});

  assert.equal(
    defined['x-derived'].getTemplateHTML(),
    '<style data-rules="0"></style><b></b><style id="row" media="print" data-rules="1"></style>'
      + '<style data-rules="0"></style>',
  );
});
