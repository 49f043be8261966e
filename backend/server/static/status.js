// Keeps the status page up to date without loading it anew: what has not changed stays, and so do
// scroll and focus. Without scripts the page loads itself anew, see its <noscript>.
"use strict";

const EVERY_MS = 4000;

async function renew() {
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    document.getElementById("gone").hidden = true;
  } catch (error) {
    document.getElementById("gone").hidden = false;
  }
}

function show(fresh) {
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (now && now.innerHTML !== part.innerHTML) part.innerHTML = now.innerHTML;
  }
}

setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
