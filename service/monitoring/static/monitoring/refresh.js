// Replaces the charts by those of a new page, every half minute. The rest of the page stays: its form and its message.
"use strict";

const SECONDS = 30;

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href);
    // The session has ended: the login, which leads back here.
    if (response.redirected) return location.reload();
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const charts = page.querySelector("main");
    if (charts) document.querySelector("main").replaceWith(charts);
  } catch {
    // No connection, as while the server restarts: what was read last stays, with its time.
  }
}

setInterval(refresh, SECONDS * 1000);
document.addEventListener("visibilitychange", refresh);
// A sample that was asked for a moment ago.
if (document.querySelector(".message")) setTimeout(refresh, 2000);
