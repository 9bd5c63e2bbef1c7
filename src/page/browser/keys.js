// @ts-check
/** Keys: `/` search, `g` and a letter go to a page, `j` `k` `x` rows, `f` hold, `?` the list of them. None while typing. */
import { toggleHold } from './live.js';

const off = 'rota-keys-off';
const words = ['/ search', 'g o w t n s m: the pages', 'j k rows', 'x tick the row', 'f hold the page', '? this list'];
let going = -10_000;

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest('input:not([type=checkbox]), select, textarea') !== null) return;
  const { key } = event;
  if (key === '?') return toggleList();
  // WCAG 2.1.4: single keys can be switched off, in the list that `?` shows.
  if (localStorage.getItem(off) === '1') return;
  if (performance.now() - going < 1_500 && go(key)) return;
  if (key === '/') {
    event.preventDefault();
    focus(document.querySelector('input[type=search]'));
  } else if (key === 'g') going = performance.now();
  else if (key === 'f') toggleHold();
  else if (key === 'j' || key === 'k') move(key === 'j' ? 1 : -1);
  else if (key === 'x') {
    click(document.querySelector('#live tr.current input[type=checkbox]'));
  }
});

/** @param {string} key */
function go(key) {
  const link = document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`);
  if (link === null) return false;
  click(link);
  return true;
}

/** @param {number} step */
function move(step) {
  const all = [...document.querySelectorAll('#live tbody tr')];
  const before = document.querySelector('#live tr.current');
  const from = before === null ? (step > 0 ? -1 : all.length) : all.indexOf(before);
  const row = all[Math.min(Math.max(from + step, 0), all.length - 1)];
  if (row === undefined) return;
  before?.classList.remove('current');
  row.classList.add('current');
  row.scrollIntoView({ block: 'nearest' });
  focus(row.querySelector('a, input, button'));
}

function toggleList() {
  const open = document.querySelector('dialog.keys');
  if (open !== null) return open.remove();
  const dialog = document.createElement('dialog');
  dialog.className = 'keys';
  dialog.setAttribute('aria-label', 'Keys');
  const list = document.createElement('ul');
  for (const line of words) list.append(Object.assign(document.createElement('li'), { textContent: line }));
  const label = document.createElement('label');
  const box = Object.assign(document.createElement('input'), {
    type: 'checkbox',
    checked: localStorage.getItem(off) === '1',
  });
  box.addEventListener('change', () => localStorage.setItem(off, box.checked ? '1' : '0'));
  label.append(box, ' no single keys in this browser');
  const close = Object.assign(document.createElement('button'), { textContent: 'Close' });
  close.addEventListener('click', () => dialog.remove());
  dialog.append(list, label, close);
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {Element | null} element */
function click(element) {
  if (element instanceof HTMLElement) element.click();
}

/** @param {Element | null} element */
function focus(element) {
  if (element instanceof HTMLElement) element.focus();
}

// The slider of hours: where it is left is where it goes.
document.addEventListener('change', ({ target }) => {
  if (target instanceof HTMLInputElement && target.dataset['submit'] !== undefined) target.form?.requestSubmit();
});
