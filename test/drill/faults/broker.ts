import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** Faults of RabbitMQ, which KAT's events come from. */
export const brokerFaults: readonly Fault[] = [
  {
    name: 'rabbitmq-killed',
    about: 'RabbitMQ is killed (SIGKILL) and comes back',
    seconds: 50,
    async run({ scene }) {
      await scene.rabbitmq.kill();
      await scene.rabbitmq.start();
    },
  },
  {
    name: 'rabbitmq-cut',
    about: 'every supervisor’s connection to RabbitMQ is reset, five times',
    seconds: 30,
    async run({ scene }) {
      for (let times = 0; times < 5; times += 1) {
        for (const { rabbitmq } of scene.links) rabbitmq.cut();
        await delay(700);
      }
    },
  },
  {
    name: 'rabbitmq-silent',
    about: 'every open connection to RabbitMQ falls silent for good; new ones work',
    seconds: 60,
    async run({ scene, over, watch }) {
      for (const { rabbitmq } of scene.links) rabbitmq.hang('work');
      await delay(25_000);
      over();
      await watch();
      for (const { rabbitmq } of scene.links) rabbitmq.mend();
    },
  },
];
