"use strict";
// Loads the page again every 1.5 seconds while it is visible, and replaces the parts that have changed.
// Without this script, the page loads itself again every five seconds.
const INTERVAL = 1500;
const lost = document.getElementById("lost");

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { cache: "no-store", redirect: "error" });
    if (!response.ok) throw new Error(response.statusText);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const other = fresh.getElementById(part.id);
      if (!other || other.innerHTML === part.dataset.seen) continue;
      part.dataset.seen = other.innerHTML;
      part.replaceChildren(...other.childNodes);
    }
    document.title = fresh.title;
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}

async function follow() {
  await refresh();
  setTimeout(follow, INTERVAL);
}

for (const part of document.querySelectorAll("[data-part]")) part.dataset.seen = part.innerHTML;
setTimeout(follow, INTERVAL);
document.addEventListener("visibilitychange", refresh);
