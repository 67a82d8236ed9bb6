// Reading needs none of this: it follows Airflow's theme, shows moments in the reader's own zone, and opens Airflow's
// pages outside of the frame that Airflow puts these pages into. Where days do not fit, it begins with the newest.
(function () {
  "use strict";
  const root = document.documentElement;
  let outer = null;
  try {
    outer = window.parent !== window ? window.parent.document : null;
  } catch {
    outer = null;
  }

  function theme() {
    let said = null;
    if (outer) {
      const names = outer.documentElement.classList;
      said = names.contains("dark") ? "dark" : names.contains("light") ? "light" : null;
    }
    if (!said) {
      try {
        said = window.localStorage.getItem("theme");
      } catch {
        said = null;
      }
    }
    if (said === "dark" || said === "light") {
      root.dataset.theme = said;
    } else {
      delete root.dataset.theme;
    }
  }

  theme();
  if (outer) {
    root.dataset.framed = "";
    new MutationObserver(theme).observe(outer.documentElement, { attributes: true, attributeFilter: ["class"] });
  }

  document.addEventListener("DOMContentLoaded", function () {
    for (const table of document.querySelectorAll(".scroll > .heat")) {
      table.parentElement.scrollLeft = table.parentElement.scrollWidth;
    }
    for (const time of document.querySelectorAll("time[data-moment]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) {
        time.title = time.textContent;
        time.textContent = moment.toLocaleString(undefined, {
          day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
        });
      }
    }
  });

  document.addEventListener("click", function (event) {
    const link = event.target.closest ? event.target.closest("a.up") : null;
    if (!link || !outer || event.defaultPrevented || event.button !== 0) {
      return;
    }
    // The frame may open no window and not move its parent; a link of the parent's own may.
    event.preventDefault();
    const twin = outer.createElement("a");
    twin.href = link.href;
    if (new URL(link.href).origin !== window.location.origin) {
      twin.target = "_blank";
      twin.rel = "noopener";
    }
    outer.body.append(twin);
    twin.click();
    twin.remove();
  });
})();
