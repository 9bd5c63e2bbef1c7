import { z } from 'zod';
import { megabytes } from '../../control/wording.ts';
import type { LogLevel } from '../../protocol/operator-status.ts';
import { foreign, html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';

/** What is done to supervisors and actors: each says what stops by it, and for how long. */

export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

const actorKey = z.object({ instance: z.string(), actor: z.string() });

export const restartActor: Action = {
  async confirm(form) {
    const { actor, instance } = parametersOf(actorKey, form);
    return {
      title: `Restart ${actor} on ${instance}?`,
      effects: html`<ul>
        <li>It finishes what it has in hand, within a few seconds, and starts anew with its code as it is now.</li>
        <li>Its events wait meanwhile; those that it did not acknowledge come again. Pops and pushes go on.</li>
        <li>Its log level is the configured one again, and its figures begin at nothing.</li>
      </ul>`,
      button: 'Restart',
    };
  },
  async run(form, { operators }) {
    const { actor, instance } = parametersOf(actorKey, form);
    await operators.ask('restart-actor', { actor }, instance);
    return { says: `${actor} on ${instance}: restarted.` };
  },
};

export const killActor: Action = {
  async confirm(form) {
    const { actor, instance } = parametersOf(actorKey, form);
    return {
      title: `Kill ${actor} on ${instance}?`,
      effects: html`<ul>
        <li>
          Its thread ends at once, as in a crash: for a drill, or where it hangs and a restart does not come through.
        </li>
        <li>What it had in hand comes again: no event is lost, some are decided twice.</li>
        <li>It is started again after a pause; after five failures in a minute it is down, and tried once a minute.</li>
      </ul>`,
      button: 'Kill',
      typed: actor,
    };
  },
  async run(form, { operators }) {
    const { actor, instance } = parametersOf(actorKey, form);
    await operators.ask('kill-actor', { actor }, instance);
    return { says: `${actor} on ${instance}: killed. It starts again by itself.` };
  },
};

export const heap: Action = {
  async confirm(form) {
    const { actor, instance, bytes } = parametersOf(actorKey.extend({ bytes: z.coerce.number().optional() }), form);
    return {
      title: `Write the heap of ${actor} on ${instance}?`,
      effects: html`<ul>
        <li>
          ${actor} stands still for some seconds, the longer the larger its
          heap${bytes !== undefined && `, which is ${megabytes(bytes)}`}: its events wait. Pops and pushes go on.
        </li>
        <li>
          The file stays in the temporary folder of the supervisor’s machine, and holds what the actor knows: OOIs too.
        </li>
      </ul>`,
      button: 'Write it',
    };
  },
  async run(form, { operators }) {
    const { actor, instance } = parametersOf(actorKey, form);
    const { file } = await operators.ask('heap', { actor }, instance);
    return { says: `${actor} on ${instance}: heap written to ${file}.` };
  },
};

const levelForm = actorKey.extend({ level: z.enum(logLevels), before: z.enum(logLevels).optional() });

export const logLevel: Action = {
  confirm: null,
  async run(form, { operators }) {
    const { actor, instance, level, before } = parametersOf(levelForm, form);
    await operators.ask('log-level', { actor, level }, instance);
    const says = `${actor} on ${instance}: logs at ${level}, until it is restarted.`;
    if (before === undefined) return { says };
    return { says, undo: { action: 'log-level', fields: { actor, instance, level: before, before: level } } };
  },
};

export const look: Action = {
  confirm: null,
  async run(form, { operators }) {
    const { instance } = parametersOf(actorKey, form);
    await operators.ask('look', {}, instance);
    return { says: `boefje on ${instance}: looks for boefjes that were enabled since, in all organisations.` };
  },
};

export const reschedule: Action = {
  confirm: null,
  async run(form, { operators }) {
    const { actor, instance } = parametersOf(actorKey, form);
    await operators.ask('reschedule', { actor }, instance);
    return { says: `${actor} on ${instance}: looks for due schedules now.` };
  },
};

const drainForm = z.object({ instance: z.string(), all: z.coerce.number().optional() });

export const drain: Action = {
  async confirm(form, { operators }) {
    const { instance } = parametersOf(drainForm, form);
    const others = (await operators.instances()).filter((one) => one !== instance);
    const effects =
      others.length === 0
        ? html`<li>
            <strong>It is the only one: this page goes too.</strong> Until another starts, nothing is handed out, no
            event is taken, and no schedule comes due; what is queued stays queued.
          </li>`
        : html`<li>${foreign(others.join(', '))} ${others.length === 1 ? 'goes' : 'go'} on with the same queue.</li>
            <li>This page goes too, where it is ${instance} that serves it.</li>`;
    return {
      title: `Drain supervisor ${instance}?`,
      effects: html`<ul>
        <li>It takes nothing new, finishes what it has in hand within 9 seconds, and ends, as by SIGTERM.</li>
        ${effects}
        <li>What keeps its process (systemd, Kubernetes) may start it again.</li>
      </ul>`,
      button: 'Drain',
      typed: instance,
    };
  },
  async run(form, { operators }) {
    const { instance } = parametersOf(drainForm, form);
    const { draining } = await operators.ask('drain', {}, instance);
    return { says: `Supervisor ${draining} drains, and ends.` };
  },
};
