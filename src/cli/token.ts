import { Command } from 'commander';
import { isRole, isTokenName, newToken, roles } from '../api-tokens.ts';
import { RotaError } from '../errors.ts';
import { print } from './remote.ts';

/** `rota token new`: the token is printed once and kept nowhere; what a supervisor gets is its hash. */
export function tokenCommand(): Command {
  const token = new Command('token').description('tokens of the REST API');
  token
    .command('new')
    .description('make one: prints the token, and the line for SCHEDULER_API_TOKENS_FILE that lets it in')
    .argument('<name>', 'who carries it, as the audit log says it')
    .argument('<role>', roles.join(', '))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rota token new boefje-runner work')
    .action((name: string, role: string, options: { json?: boolean }) => {
      if (!isTokenName(name))
        throw new RotaError('INVALID_REQUEST', 'name: expected up to 64 letters, digits, `.`, `_` and `-`');
      if (!isRole(role)) throw new RotaError('INVALID_REQUEST', `role: expected one of ${roles.join(', ')}`);
      const made = newToken(name, role);
      print(options, made, (it) => `token  ${it.token}\nline   ${it.line}`);
    });
  return token;
}
