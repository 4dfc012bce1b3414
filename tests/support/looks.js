// How the texts of the page that is open look, as data, for the scripts that this is put before. What is good enough is not
// decided here.

/** Red, green, blue from 0 to 255 and alpha from 0 to 1. */
function channels(css) {
  const found = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(css);
  if (!found) throw new Error(`a colour that is not understood here: ${css}`);
  return found.slice(1).map((channel) => (channel === undefined ? 1 : Number(channel)));
}

function over([red, green, blue, alpha], below) {
  const mixed = [red, green, blue].map((channel, index) => channel * alpha + below[index] * (1 - alpha));
  return [...mixed, alpha + below[3] * (1 - alpha)];
}

/** What an element's text stands on: its background and those below, down to the first that lets nothing through. */
function ground(element) {
  let seen = [0, 0, 0, 0];
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (style.backgroundImage !== "none" || style.opacity !== "1") throw new Error("a background that is no plain colour");
    seen = over(seen, channels(style.backgroundColor));
    if (seen[3] === 1) return seen;
  }
  throw new Error("a text on no background of the page's own");
}

/** Relative luminance, WCAG 2.2. */
function luminance(colour) {
  const [red, green, blue] = colour.slice(0, 3).map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast ratio, WCAG 2.2, from 1 to 21: of a colour to the ground that an element's surroundings give. */
function contrastOf(colour, element) {
  const below = ground(element);
  const [darker, lighter] = [luminance(below), luminance(over(channels(colour), below))].sort((one, other) => one - other);
  return (lighter + 0.05) / (darker + 0.05);
}

/** Of an element's text. */
function contrast(element) {
  return contrastOf(getComputedStyle(element).color, element);
}

function textOf(node) {
  return node.textContent.trim().replace(/\s+/g, " ");
}

const shown = [];
const hidden = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode;
  if (!textOf(node)) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const boxes = [...range.getClientRects()];
  if (boxes.length === 0 || !node.parentElement.checkVisibility({ visibilityProperty: true })) {
    hidden.push(textOf(node));
    continue;
  }
  shown.push({
    says: textOf(node),
    contrast: contrast(node.parentElement),
    left: Math.min(...boxes.map((box) => box.left)),
    right: Math.max(...boxes.map((box) => box.right)),
  });
}
