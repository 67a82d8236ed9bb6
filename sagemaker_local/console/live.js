// Asks for the page again while what it shows still goes on, and puts in what has changed: focus, places in scrolled
// boxes and selected text stay, and what changed its state is said to a screen reader. It only reads.
"use strict";

const said = document.getElementById("said");
const scrolled = ".scroll, pre";
let shown = document.querySelector("main").innerHTML;

function states(main) {
  const found = new Map();
  for (const each of main.querySelectorAll("[data-state]")) {
    found.set(each.dataset.of, each.dataset.state);
  }
  return found;
}

function place(main) {
  // An element is known again by what it leads to or is called, and by which one of these it is.
  const active = document.activeElement;
  if (!main.contains(active)) return () => {};
  const key = active.getAttribute("href") || active.getAttribute("aria-label") || active.localName;
  const alike = (root) =>
    [...root.querySelectorAll("a, [tabindex]")].filter(
      (each) => (each.getAttribute("href") || each.getAttribute("aria-label") || each.localName) === key,
    );
  const index = alike(main).indexOf(active);
  return () => alike(main)[index]?.focus({ preventScroll: true });
}

function put(main, fresh) {
  const before = states(main);
  const again = place(main);
  const offsets = [...main.querySelectorAll(scrolled)].map((each) => [each.scrollLeft, each.scrollTop]);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll(scrolled).forEach((each, index) => {
    if (offsets[index]) [each.scrollLeft, each.scrollTop] = offsets[index];
  });
  again();
  const changed = [...states(main)].filter(([name, state]) => before.get(name) !== state);
  if (changed.length) say(changed.map(([name, state]) => `${name}: ${state}`).join(", "));
}

function say(text) {
  if (said.textContent !== text) said.textContent = text;
}

async function look() {
  const main = document.querySelector("main");
  let seconds = Number(main.dataset.refresh);
  const selecting = !document.getSelection().isCollapsed;
  if (!document.hidden && !selecting) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (answer.ok && fresh && fresh.innerHTML !== shown) {
        shown = fresh.innerHTML;
        put(main, fresh);
      }
      if (answer.ok && fresh) seconds = main.dataset.refresh = Number(fresh.dataset.refresh || 0);
      if (said.dataset.lost) {
        delete said.dataset.lost;
        say("The local SageMaker answers again.");
      }
    } catch {
      said.dataset.lost = "yes";
      say("The local SageMaker does not answer; what is shown may be old.");
    }
  }
  if (Number(seconds) > 0) setTimeout(look, Number(seconds) * 1000);
}

if (Number(document.querySelector("main").dataset.refresh) > 0) {
  setTimeout(look, Number(document.querySelector("main").dataset.refresh) * 1000);
}
