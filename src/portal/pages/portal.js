// What is easier with a script: to open a link, to look at a password while typing it, to copy a key, to copy or print recovery codes,
// whose buttons are hidden until this runs; to change the language while typing; and to click twice. Never here: anything that a page
// needs to work, or a word of a language.
"use strict";

for (const box of document.querySelectorAll("[data-shows]")) {
  const fields = box.dataset.shows.split(" ").map((name) => document.getElementById(name));
  const show = () => {
    for (const field of fields) field.type = box.checked ? "text" : "password";
  };
  box.addEventListener("change", show);
  // A browser remembers what was sent from a field that shows it.
  box.form.addEventListener("submit", () => {
    box.checked = false;
    show();
  });
  box.parentElement.hidden = false;
}

for (const button of document.querySelectorAll("[data-copies]")) {
  // Without HTTPS there is no clipboard.
  if (!navigator.clipboard) continue;
  const told = document.querySelector("[data-copied]");
  button.addEventListener("click", async () => {
    const lines = [...document.querySelectorAll(`${button.dataset.copies} > *`)].map((line) => line.textContent.trim());
    await navigator.clipboard.writeText(lines.join(button.dataset.joined ?? "\n"));
    told.textContent = told.dataset.copied;
  });
  button.hidden = false;
}

for (const button of document.querySelectorAll("[data-prints]")) {
  button.addEventListener("click", () => print());
  button.hidden = false;
}

// A browser keeps the addresses of what it downloads: so the file gets one that says nothing.
for (const link of document.querySelectorAll("a[download][href^='data:']")) {
  const text = decodeURIComponent(link.href.slice(link.href.indexOf(",") + 1));
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
}

// Another language shows the page anew: what was typed is kept until then, in this tab alone, and never what is secret.
// What is secret is told by what a field is for: a password that is shown is of the type of any text.
const typed = () => [...document.querySelectorAll(
  "form input[id][name]:not([type=hidden], [autocomplete$=-password], [autocomplete=one-time-code], [autocomplete=off])")];
for (const link of document.querySelectorAll(".languages a")) {
  link.addEventListener("click", (event) => {
    // Into another tab.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const kept = typed().map((field) => [field.id, field.type === "checkbox" ? field.checked : field.value]);
    sessionStorage.setItem("typed", JSON.stringify({ at: location.pathname, kept }));
  });
}
const before = JSON.parse(sessionStorage.getItem("typed") ?? "null");
sessionStorage.removeItem("typed");
if (before?.at === location.pathname) {
  for (const [id, value] of before.kept) {
    const field = typed().find((field) => field.id === id);
    if (field?.type === "checkbox") field.checked = value;
    else if (field) field.value = value;
  }
}

// One click, one outcome: while the answer is on its way, a form is not sent again. Whoever stops it or comes back can send it anew.
for (const form of document.forms) {
  const buttons = form.querySelectorAll("button[type=submit]");
  const wait = (waits) => {
    form.toggleAttribute("data-sent", waits);
    for (const button of buttons) waits ? button.setAttribute("aria-disabled", "true") : button.removeAttribute("aria-disabled");
  };
  form.addEventListener("submit", (event) => {
    if (form.hasAttribute("data-sent")) {
      event.preventDefault();
      return;
    }
    wait(true);
    setTimeout(() => wait(false), 20000);
  });
  addEventListener("pageshow", () => wait(false));
}

// The code of a link is behind the # of the address, which no browser sends: it is sent as if it were typed, and does not stay in the
// address. Another link may be put into the same address bar. Last, so that what it sends counts as a click.
const opens = document.querySelector("[data-opens]");
if (opens) {
  const open = () => {
    const code = location.hash.slice(1);
    if (!code) return;
    history.replaceState(null, "", location.pathname + location.search);
    opens.value = code;
    opens.form.requestSubmit();
  };
  addEventListener("hashchange", open);
  open();
} else if (/^#a-[0-9a-f-]{36}\./.test(location.hash)) {
  history.replaceState(null, "", location.pathname + location.search);
}
