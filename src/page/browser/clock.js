// @ts-check
/** Counts the ages on the page on, by the server's clock. */

export function ticking() {
  let offset = Number(document.body.dataset['now']) - performance.now();
  const now = () => performance.now() + offset;
  const tick = () => {
    for (const time of document.querySelectorAll('time[datetime]')) {
      const words = whenOf(Date.parse(/** @type {HTMLTimeElement} */ (time).dateTime), now());
      if (time.textContent !== words) time.textContent = words;
    }
  };
  setInterval(tick, 1_000);
  return {
    now,
    tick,
    /** @param {number} server */
    set(server) {
      offset = server - performance.now();
    },
  };
}

/**
 * As src/control/wording.ts words it.
 * @param {number} at
 * @param {number} now
 */
export function whenOf(at, now) {
  const seconds = (at - now) / 1_000;
  return seconds >= 0 ? `in ${age(seconds)}` : `${age(-seconds)} ago`;
}

/** @param {number} seconds */
function age(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h ${Math.floor((whole % 3_600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3_600)}h`;
}
