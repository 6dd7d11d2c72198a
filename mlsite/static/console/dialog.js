"use strict";
// A dialog takes the focus when it opens, keeps it while it is open, and gives it back to what opened it.
(() => {
  const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']";
  let opener = null;
  const content = () => document.getElementById("modal-content");
  const isOpen = () => content()?.offsetParent !== null;
  const places = () => [...content().querySelectorAll(FOCUSABLE)].filter((place) => !place.disabled && place.offsetParent);

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches?.("[hx-target='#modal-content']")) opener = event.target;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    // Shown by Alpine after this; what is hidden takes no focus.
    if (content()?.contains(event.target)) setTimeout(() => {
      const fault = content().querySelector("[aria-invalid=true], .errorlist ~ input, .errorlist ~ textarea");
      (fault || places().find((place) => place.matches("input, select, textarea")) || content()).focus();
    }, 60);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || !content() || !isOpen()) return;
    const all = places(), here = all.indexOf(document.activeElement);
    if (!all.length) return;
    const edge = event.shiftKey ? here <= 0 : here === -1 || here === all.length - 1;
    if (!edge) return;
    event.preventDefault();
    all[event.shiftKey ? all.length - 1 : 0].focus();
  });
  document.addEventListener("DOMContentLoaded", () => {
    if (!content()) return;
    let wasOpen = false;
    new MutationObserver(() => {
      const open = content().parentElement.style.display !== "none";
      // What stands in a menu that has closed can't take it: its opener does.
      const back = opener?.offsetParent ? opener : opener?.closest(".c-menu")?.querySelector("button");
      if (wasOpen && !open && back?.isConnected) back.focus();
      wasOpen = open;
    }).observe(content().parentElement, { attributes: true, attributeFilter: ["style"] });
  });
})();
