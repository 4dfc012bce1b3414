// What is easier with a script: to look at a password while typing it, to copy or print recovery codes. The buttons for it are
// hidden until this runs. Never here: anything that a page needs to work, or a word of a language.
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
    await navigator.clipboard.writeText(lines.join("\n"));
    told.textContent = told.dataset.copied;
  });
  button.hidden = false;
}

for (const button of document.querySelectorAll("[data-prints]")) {
  button.addEventListener("click", () => print());
  button.hidden = false;
}
