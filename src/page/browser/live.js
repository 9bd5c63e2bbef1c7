// @ts-check
/**
 * Keeps the sections of the page as they are now, over server-sent events; by asking again where those do not come. A page that a
 * person works on stands still: what changed waits, and the mark says so.
 */
import { ticking } from './clock.js';

/** @typedef {{ now: number, sections?: Record<string, string> }} LiveEvent */

const live = document.getElementById('live');
const at = live?.dataset['liveAt'] || undefined;
const fresh = document.getElementById('fresh');
const clock = ticking();

/** Longer without a word, and what is shown is marked as old. */
const silentMs = 20_000;
const pollMs = 5_000;

/** @type {Map<string, string>} */
const waiting = new Map();
/** @type {EventSource | null} */
let source = null;
let heardAt = performance.now();
let polledAt = 0;
let restMs = pollMs;
let held = false;
/** No sooner is a stream asked for again: a server that has no room is not asked each second by each tab. */
let connectAt = 0;
/** The server looked at this page again, and failed: what stands here is of before. */
let hasFailed = false;
/** Nothing more is to come of this page. */
let isFinal = false;
let isLoggedOut = false;

export function toggleHold() {
  held = !held;
  apply();
  mark();
}

function isFrozen() {
  if (held || document.querySelector('#live input[type=checkbox]:checked') !== null) return true;
  const active = document.activeElement;
  if (
    active !== null &&
    live?.contains(active) === true &&
    active.matches('input:not([type=checkbox]), select, textarea')
  )
    return true;
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && live?.contains(selection.anchorNode) === true;
}

/**
 * What a person opened, ticked, chose or typed stays.
 * @param {string} attribute
 * @param {Element} element
 */
function isOfPerson(attribute, element) {
  if (attribute === 'value' && (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement))
    return element.value !== element.defaultValue;
  // The row that the keys are at.
  if (attribute === 'class') return element.classList.contains('current');
  return ['checked', 'open', 'selected'].includes(attribute);
}

function apply() {
  if (isFrozen()) return;
  for (const [id, html] of waiting) {
    const section = document.getElementById(id);
    if (section === null) continue;
    const before = section.querySelector('[data-say]')?.textContent;
    // @ts-ignore: a classic script defines it
    globalThis.Idiomorph.morph(section, html, {
      morphStyle: 'innerHTML',
      ignoreActiveValue: true,
      callbacks: {
        beforeAttributeUpdated: (/** @type {string} */ name, /** @type {Element} */ of) => !isOfPerson(name, of),
      },
    });
    const says = section.querySelector('[data-say]')?.textContent ?? '';
    const region = document.getElementById('verdict-said');
    if (region !== null && before !== undefined && says !== before) region.textContent = says;
  }
  waiting.clear();
  clock.tick();
}

function mark() {
  if (fresh === null) return;
  const silence = performance.now() - heardAt;
  const isOld = isLoggedOut || hasFailed || (silence > silentMs && !isFinal);
  const words = isLoggedOut
    ? 'logged out: reload the page'
    : hasFailed
      ? `failed: from ${Math.round(silence / 1_000)}s ago`
      : isOld
        ? `old: from ${Math.round(silence / 1_000)}s ago`
        : `${new Date(clock.now()).toISOString().slice(11, 19)} UTC`;
  fresh.className = `fresh ${isOld ? 'stale' : held || waiting.size > 0 ? 'frozen' : 'live'}`;
  document.body.classList.toggle('old', isOld);
  const text = fresh.querySelector('[data-fresh]');
  if (text !== null) text.textContent = `${held ? 'held · ' : waiting.size > 0 ? 'changes wait · ' : ''}${words}`;
}

/** @param {LiveEvent} event */
function take({ now, sections = {} }) {
  heardAt = performance.now();
  hasFailed = false;
  restMs = pollMs;
  clock.set(now);
  for (const [id, html] of Object.entries(sections)) waiting.set(id, html);
  apply();
  mark();
}

function connect() {
  if (source !== null || document.hidden || at === undefined || isFinal || performance.now() < connectAt) return;
  source = new EventSource(`/live?at=${encodeURIComponent(at)}`);
  source.addEventListener('live', (event) => take(JSON.parse(event.data)));
  source.addEventListener('stale', () => {
    hasFailed = true;
    mark();
  });
  // The server ends: another one is there in a moment, and not all tabs come to it at once.
  source.addEventListener('bye', () => later(1_000 + Math.random() * 2_000));
  source.addEventListener('logout', () => {
    isLoggedOut = true;
    later(60_000);
    mark();
  });
  source.addEventListener('end', () => {
    isFinal = true;
    disconnect();
  });
  // It connects again by itself, unless it was refused: no room, or no session.
  source.addEventListener('error', () => {
    if (source?.readyState === EventSource.CLOSED) later(15_000 + Math.random() * 15_000);
  });
}

function disconnect() {
  source?.close();
  source = null;
}

/** @param {number} ms */
function later(ms) {
  disconnect();
  connectAt = performance.now() + ms;
}

/** Without events: a proxy may hold them back, and the server may have no room for another stream. */
async function poll() {
  const silence = performance.now() - Math.max(heardAt, polledAt);
  if (document.hidden || at === undefined || isFinal || performance.now() - heardAt < pollMs * 2 || silence < restMs)
    return;
  polledAt = performance.now();
  // The next one later, up to a minute, and not at the same moment as other browsers'.
  restMs = Math.min(restMs * (1.3 + Math.random() / 2), 60_000);
  const answer = await fetch(at, { headers: { 'x-part': 'live' }, redirect: 'error' }).catch(() => null);
  if (answer !== null) isLoggedOut = answer.status === 401;
  if (answer?.ok !== true) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), 'text/html');
  /** @type {Record<string, string>} */
  const sections = {};
  for (const section of parsed.querySelectorAll('section[id]')) sections[section.id] = section.innerHTML;
  take({ now: Number(answer.headers.get('x-now')), sections });
}

if (at !== undefined && live !== null) {
  connect();
  document.addEventListener('visibilitychange', () => (document.hidden ? disconnect() : connect()));
  setInterval(() => {
    connect();
    apply();
    mark();
    void poll();
  }, 1_000);
}
