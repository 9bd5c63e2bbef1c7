import type { z } from 'zod';
import type { Access } from '../control/operator-command.ts';
import type { OperatorClient } from '../control/overview.ts';
import { check } from '../tasks/limits.ts';
import type { BulkJobs } from './bulk-jobs.ts';
import type { Html } from './html.ts';
import type { Form } from './reply.ts';

/** What a view answers: a page, or an address to go to. */
export interface Page {
  readonly title: string;
  /** In their order, by their ids: what changes is sent section by section. */
  readonly sections: Readonly<Record<string, Html>>;
  /** The words of the command that says the same, for a ticket; quoted by the layout. */
  readonly command?: readonly string[];
  /** How often it is looked at again while it stands on a screen, in milliseconds; absent: never. */
  readonly liveMs?: number;
  /** The address that is looked at again, where it is another than its own: a list that does not move under the hand. */
  readonly liveAt?: string;
  /** The address that it is at: a search that found one thing. */
  readonly goTo?: string;
}

export interface PageRequest {
  readonly operators: OperatorClient;
  readonly access: Access;
  /** The name of its token. */
  readonly by: string;
  readonly jobs: BulkJobs;
  /** Path and query: where a button comes back to. */
  readonly at: string;
  /** Of the address: `:id` and the like. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The database's time, in epoch milliseconds. */
  readonly now: number;
  /** How old figures of the database may be: what a person asks for is of now, what a live page repeats is not. */
  readonly maxAgeSeconds: number;
}

export type View = (request: PageRequest) => Promise<Page>;

/** What a form does (actions.ts). */
export interface Action {
  /** What will happen, in counts and consequences; null where it is not worth a question, or its opposite undoes it. */
  readonly confirm: ((form: Form, request: PageRequest) => Promise<Confirmation | null>) | null;
  /** Whether what was confirmed is still what would be done; else it is asked about again. */
  readonly holds?: (form: Form, request: PageRequest) => Promise<boolean>;
  /** @throws RotaError, which the page shows where the button was */
  readonly run: (form: Form, request: PageRequest) => Promise<Done>;
}

export interface Confirmation {
  readonly title: string;
  readonly effects: Html;
  /** Null where there is nothing to be done: another ranker than the scheduler has. */
  readonly button: string | null;
  /** Whether a person may say why. */
  readonly note?: boolean;
  /** What a person must type, where a mistake costs much. */
  readonly typed?: string;
  /** What it was asked about beside the form's own fields; `run` has it in the form. */
  readonly facts?: Readonly<Record<string, string>>;
}

export interface Done {
  /** What was done, in a sentence. */
  readonly says: string;
  /** The action that takes it back. */
  readonly undo?: {
    readonly action: string;
    readonly fields: Readonly<Record<string, string>>;
    /** What it does, where that is not to put all back as it was. */
    readonly label?: string;
  };
  /** The page to go to, where it is not the one of the button. */
  readonly to?: string;
}

/** Of the action before, shown once. */
export interface Notice {
  readonly level: 'good' | 'bad';
  readonly says: string;
  readonly undo?: Done['undo'];
}

/**
 * The parameters of an address or of a form, without the empty ones and those that the schema does not have.
 * @throws RotaError INVALID_REQUEST that names the parameter
 */
export function parametersOf<T extends z.ZodType>(schema: T, given: Form): z.output<T> {
  return check(schema, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')));
}
