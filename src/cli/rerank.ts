import type { Command } from 'commander';
import { print, remoteCommand, type RemoteOptions, tell, withRota } from './remote.ts';
import { write } from './terminal.ts';

interface Reranked {
  readonly instance: string;
  readonly run: string;
  readonly looked: number;
  readonly moved: number;
  readonly complete: boolean;
}

/** `rota rerank`: through the ranking pool, in batches; pushes and pops go on. */
export function rerankCommand(): Command {
  return remoteCommand('rerank', 'rank everything queued anew, as its ranker would now', 'rota rerank boefje')
    .argument('<scheduler>')
    .action(async (scheduler: string, options: RemoteOptions) => {
      const { looked, moved } = await withRota(options, async (client) => {
        let answer = await tell<Reranked>(client, 'rerank', { scheduler });
        while (!answer.complete) {
          write(`${answer.looked} so far\n`, 'err');
          answer = await tell<Reranked>(client, 'rerank', { scheduler, run: answer.run }, answer.instance);
        }
        return answer;
      });
      print(options, { looked, moved }, () => `${looked} queued tasks ranked, ${moved} of them moved`);
    });
}
