// What a reader meets on the letter that is open, as data, after `looks.js`. What is good enough is not decided here.

return {
  language: document.documentElement.lang,
  title: document.title,
  width: innerWidth,
  scrollWidth: document.documentElement.scrollWidth,
  scrollHeight: document.documentElement.scrollHeight,
  luminance: luminance(ground(document.body)),
  shown,
  hidden,
  words: document.body.innerText.replace(/\s+/g, " "),
  buttons: [...document.querySelectorAll(".button")].map((button) => {
    const { left, right, height } = button.getBoundingClientRect();
    return { says: textOf(button), target: button.getAttribute("href"), left, right, height };
  }),
  links: [...document.querySelectorAll("a")].map((link) => ({ says: textOf(link), target: link.getAttribute("href") })),
  requests: performance.getEntriesByType("resource").map((entry) => entry.name),
};
