// What a reader meets on the page that is open, as data, after `looks.js`. What is good enough is not decided here.

function boxOf(element) {
  const { left, right, width, height } = element.getBoundingClientRect();
  return { left, right, width, height };
}

function isSeen(element) {
  // What is hidden from everybody but password managers is no reader's.
  return element.checkVisibility({ visibilityProperty: true }) && !element.closest("[aria-hidden=true]");
}

/** What is hit with a finger. A box that is ticked is hit with its label; a link within a sentence is as high as its line. */
function targets() {
  const found = document.querySelectorAll("a, button, summary, input:not([type=hidden]):not([type=checkbox]), label.choice, label.show");
  return [...found].filter(isSeen).map((element) => ({
    says: textOf(element) || element.name,
    within: element.matches("p a, li a") && getComputedStyle(element).display === "inline",
    ...boxOf(element),
  }));
}

/** What the keyboard reaches, with what shows that it has: a frame. */
function focused() {
  const found = document.querySelectorAll("a, button, summary, input:not([type=hidden])");
  return [...found].filter(isSeen).map((element) => {
    element.focus();
    const style = getComputedStyle(element);
    return {
      says: textOf(element) || element.name,
      reached: document.activeElement === element,
      frame: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
      contrast: contrastOf(style.outlineColor, element.parentElement),
    };
  });
}

const reached = focused();
document.activeElement.blur();
scrollTo(0, 0);
const fields = [...document.querySelectorAll("input:not([type=hidden]):not([type=checkbox])")].filter(isSeen);
return {
  language: document.documentElement.lang,
  title: document.title,
  heading: textOf(document.querySelector("h1")),
  width: innerWidth,
  scrollWidth: document.documentElement.scrollWidth,
  scrollHeight: document.documentElement.scrollHeight,
  luminance: luminance(ground(document.body)),
  shown,
  hidden,
  words: document.body.innerText.replace(/\s+/g, " "),
  fields: fields.map((field) => ({
    name: field.name,
    type: field.type,
    value: field.value,
    contrast: contrast(field),
    edge: contrastOf(getComputedStyle(field).borderTopColor, field.parentElement),
    readOnly: field.readOnly,
  })),
  pictures: [...document.querySelectorAll("img, svg:not([aria-hidden])")].filter(isSeen).map((picture) => ({
    says: picture.getAttribute("alt") ?? picture.getAttribute("aria-label"),
    ...boxOf(picture),
  })),
  targets: targets(),
  focused: reached,
  requests: performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname),
};
