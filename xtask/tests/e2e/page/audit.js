// Returns the parts of a page that are hard to read: run in the page by `browser.py`.
"use strict";

function parts(color) {
  const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
  return { channels: [red, green, blue], alpha };
}

/** Puts a color that may be transparent on one that is not. */
function over({ channels, alpha }, below) {
  return channels.map((channel, index) => channel * alpha + below[index] * (1 - alpha));
}

function ancestors(element) {
  const found = [];
  for (let one = element; one; one = one.parentElement) found.unshift(one);
  return found;
}

function background(element) {
  const paint = (below, one) => over(parts(getComputedStyle(one).backgroundColor), below);
  return ancestors(element).reduce(paint, [255, 255, 255]);
}

function opacity(element) {
  return ancestors(element).reduce((product, one) => product * Number(getComputedStyle(one).opacity), 1);
}

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(channels) {
  const [red, green, blue] = channels.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(element) {
  const behind = background(element);
  const { channels, alpha } = parts(getComputedStyle(element).color);
  const text = over({ channels, alpha: alpha * opacity(element) }, behind);
  const [light, dark] = [luminance(text), luminance(behind)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function texts() {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const isShown = range.getClientRects().length > 0 && walker.currentNode.parentElement.checkVisibility();
    if (walker.currentNode.data.trim() && isShown) found.push(walker.currentNode);
  }
  return found;
}

const root = document.documentElement;
const measured = texts().map((node) => ({ text: node.data.trim(), contrast: contrast(node.parentElement) }));
return {
  texts: measured.map(({ text }) => text),
  lowest: Math.min(...measured.map(({ contrast }) => contrast)),
  faint: measured.filter(({ contrast }) => contrast < 4.5),
  overflow: Math.max(0, root.scrollWidth - root.clientWidth),
};
