import { explainScheduler } from './explain.ts';
import {
  type Figures,
  partOf,
  problemsOf,
  type Row,
  sortedAtFirst,
  tableRowsOf,
  titlesOf,
  type View,
  views,
} from './rows.ts';

/** What is on the screen but for its size and the time. */
export interface TopState {
  readonly view: View;
  /** Column of each view. */
  readonly sort: Readonly<Record<View, number>>;
  readonly filter: string;
  /** Key of a row; null: the first of the table. */
  readonly selected: string | null;
  readonly mode: 'list' | 'filter' | 'help' | 'detail' | 'confirm';
  readonly detail: { readonly title: string; readonly lines: readonly string[] } | null;
  /** What `y` does. */
  readonly asked: Change | null;
  /** What became of the last key. */
  readonly message: string;
  readonly figures: Figures | null;
  /** By performance.now(). */
  readonly lookedAt: number;
  /** Why the last look found nothing. */
  readonly failure: string | null;
}

export const firstState: TopState = {
  view: 'schedulers',
  sort: sortedAtFirst,
  filter: '',
  selected: null,
  mode: 'list',
  detail: null,
  asked: null,
  message: '',
  figures: null,
  lookedAt: 0,
  failure: null,
};

export interface Change {
  readonly command: 'pause' | 'resume';
  readonly of: { readonly scheduler: string; readonly organisation?: string; readonly boefje?: string };
  readonly question: string;
}

/** What a key asks of what is outside of the state. */
export type Wish =
  | { readonly kind: 'quit' | 'suspend' | 'look' }
  | { readonly kind: 'explain'; readonly row: Row }
  | { readonly kind: 'change'; readonly change: Change };

export interface Key {
  /** `up`, `return`, `a`, …; absent for characters without a name. */
  readonly name?: string | undefined;
  readonly sequence: string;
  readonly ctrl?: boolean;
  readonly shift?: boolean;
}

export interface Pressed {
  readonly state: TopState;
  readonly wish?: Wish;
}

/** Problems, then the table. */
export function rowsOf({ figures, view, sort, filter }: TopState): readonly Row[] {
  if (figures === null) return [];
  return [...problemsOf(figures), ...tableRowsOf(figures, view, sort[view], filter)];
}

/** Of the selected row; of the table's first where there is none. -1 without rows. */
export function selectedAt({ selected }: TopState, rows: readonly Row[]): number {
  const at = rows.findIndex(({ key }) => key === selected);
  if (at !== -1) return at;
  const first = rows.findIndex(({ kind }) => kind !== 'problem');
  return first === -1 ? rows.length - 1 : first;
}

/** A filter is a part of a name. */
const longestFilter = 100;

export function pressed(before: TopState, key: Key): Pressed {
  if (key.ctrl === true && key.name === 'c') return { state: before, wish: { kind: 'quit' } };
  if (key.ctrl === true && key.name === 'z') return { state: before, wish: { kind: 'suspend' } };
  const state = { ...before, message: '' };
  switch (before.mode) {
    case 'filter':
      return { state: typed(state, key) };
    case 'confirm':
      return confirmed(state, key);
    case 'help':
    case 'detail':
      if (key.sequence === 'q') return { state, wish: { kind: 'quit' } };
      return { state: { ...state, mode: 'list', detail: null } };
    case 'list':
      return inList(state, key);
  }
}

function typed(state: TopState, { name, sequence, ctrl }: Key): TopState {
  if (name === 'escape') return { ...state, mode: 'list', filter: '' };
  if (name === 'return' || name === 'enter') return { ...state, mode: 'list' };
  if (name === 'backspace') return { ...state, filter: Array.from(state.filter).slice(0, -1).join('') };
  if (ctrl === true && name === 'u') return { ...state, filter: '' };
  if (ctrl === true || /\p{C}/u.test(sequence) || sequence === '') return state;
  return { ...state, filter: (state.filter + sequence).slice(0, longestFilter) };
}

function confirmed(state: TopState, { sequence }: Key): Pressed {
  const { asked } = state;
  const after: TopState = { ...state, mode: 'list', asked: null };
  if (asked === null || !/^y$/i.test(sequence)) return { state: { ...after, message: 'nothing was changed' } };
  const message = asked.command === 'pause' ? 'pausing …' : 'resuming …';
  return { state: { ...after, message }, wish: { kind: 'change', change: asked } };
}

function inList(state: TopState, { name, sequence, shift }: Key): Pressed {
  const rows = rowsOf(state);
  const at = selectedAt(state, rows);
  const go = (to: number): Pressed => {
    const row = rows[Math.min(Math.max(to, 0), rows.length - 1)];
    return { state: { ...state, selected: row?.key ?? null } };
  };
  const turn = (by: number): Pressed => {
    const view = views[(views.indexOf(state.view) + by + views.length) % views.length]!;
    return { state: { ...state, view, selected: null }, wish: { kind: 'look' } };
  };
  switch (sequence) {
    case 'q':
      return { state, wish: { kind: 'quit' } };
    case '?':
    case 'h':
      return { state: { ...state, mode: 'help' } };
    case '/':
      return { state: { ...state, mode: 'filter' } };
    case 's': {
      const { view, sort } = state;
      const next = (sort[view] + 1) % titlesOf(view).length;
      return { state: { ...state, sort: { ...sort, [view]: next } } };
    }
    case 'p':
      return asking(state, 'pause', rows[at]);
    case 'r':
      return asking(state, 'resume', rows[at]);
    case 'e':
      return explaining(state, rows[at]);
    case 'j':
      return go(at + 1);
    case 'k':
      return go(at - 1);
    case 'g':
      return go(0);
    case 'G':
      return go(rows.length - 1);
  }
  switch (name) {
    case 'down':
      return go(at + 1);
    case 'up':
      return go(at - 1);
    case 'pagedown':
      return go(at + 10);
    case 'pageup':
      return go(at - 10);
    case 'home':
      return go(0);
    case 'end':
      return go(rows.length - 1);
    case 'tab':
      return turn(shift === true ? -1 : 1);
    case 'right':
      return turn(1);
    case 'left':
      return turn(-1);
    case 'return':
    case 'enter':
      return explaining(state, rows[at]);
    case 'escape':
      return { state: { ...state, filter: '' } };
  }
  return { state };
}

function asking(state: TopState, command: Change['command'], row: Row | undefined): Pressed {
  const change = row === undefined ? null : changeOf(command, row);
  if (change === null) {
    const message = 'select a scheduler, an organisation or a boefje: only these are paused and resumed';
    return { state: { ...state, message } };
  }
  return { state: { ...state, mode: 'confirm', asked: change } };
}

function changeOf(command: Change['command'], row: Row): Change | null {
  const ask = (what: string, of: Change['of'], queued: number | string | null): Change => {
    const effect =
      command === 'pause' ? `${queued ?? 'unknown'} queued will be held` : 'what it holds may be popped again';
    return { command, of, question: `${command} ${what}: ${effect}` };
  };
  if (row.kind === 'problem' || row.kind === 'image') return null;
  if (row.kind === 'scheduler')
    return ask(`all of ${row.scheduler.id}`, { scheduler: row.scheduler.id }, row.scheduler.queued);
  const { scheduler, name, queued, queued_is_least: least } = row.part;
  const key = row.kind === 'organisation' ? { organisation: name } : { boefje: name };
  return ask(`${row.kind} ${name} in ${scheduler}`, { scheduler, ...key }, least ? `${queued}+` : queued);
}

function explaining(state: TopState, row: Row | undefined): Pressed {
  if (row === undefined || state.figures === null) return { state };
  if (row.kind === 'problem') {
    const { about, finding, advice } = row.finding;
    const lines = [finding, ...(advice === null ? [] : ['', `Do: ${advice}`])];
    return { state: { ...state, mode: 'detail', detail: { title: about, lines } } };
  }
  if (row.kind === 'scheduler') {
    const detail = explainScheduler(row.scheduler, state.figures.pauses);
    return { state: { ...state, mode: 'detail', detail } };
  }
  const detail = { title: row.part.name, lines: ['asking …'] };
  return { state: { ...state, mode: 'detail', detail }, wish: { kind: 'explain', row } };
}

/** The view's parts are still those of another view. */
export function isAwaited({ figures, view }: TopState): boolean {
  const by = partOf[view];
  return figures === null || (by !== null && figures.parts?.by !== by);
}
