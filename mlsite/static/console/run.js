"use strict";
// Follows a run: asks how far it is until it has ended, then shows the whole page again.
for (const run of document.querySelectorAll(".c-run")) {
  const log = run.querySelector(".c-log");
  log.scrollTop = log.scrollHeight;
  const every = 1500, slowest = 30000;
  let wait = every;

  const show = (now) => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    for (const place of run.querySelectorAll("[data-shows]")) {
      const text = String(now[place.dataset.shows]) || (place === log ? "Nothing said yet." : "");
      // Only what changed: a screen reader says it again otherwise.
      if (place.textContent !== text) place.textContent = text;
    }
    run.querySelector("progress").value = now.percent;
    if (atEnd) log.scrollTop = log.scrollHeight;
  };

  const ask = async () => {
    try {
      const answer = await fetch(run.dataset.address, { redirect: "error", headers: { Accept: "application/json" } });
      if (answer.status === 403 || answer.status === 404) return;
      if (!answer.ok) throw new Error(answer.status);
      const now = await answer.json();
      show(now);
      if (now.ended) return location.reload();
      wait = every;
    } catch {
      // The site may be restarting: ask less and less often.
      wait = Math.min(2 * wait, slowest);
    }
    setTimeout(ask, wait);
  };

  if (!run.dataset.ended) setTimeout(ask, wait);
}
