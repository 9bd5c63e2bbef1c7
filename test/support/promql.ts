/** What an expression of Prometheus names: metrics with the labels that it selects by, and labels that it groups by. */
interface Named {
  readonly metrics: readonly { readonly name: string; readonly labels: readonly string[] }[];
  readonly groupedBy: readonly string[];
}

const operators = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring']);
const grouping = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const selector = /([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?/g;

/** As much of the language as dashboards and rules here use. */
export function namedIn(expression: string): Named {
  const bare = expression.replaceAll(/"[^"]*"/g, '""').replaceAll(/\[[^\]]*\]/g, '');
  const groupedBy = [...bare.matchAll(grouping)].flatMap(([, list]) => labelsOf(list!));
  const rest = bare
    .replaceAll(grouping, ' ')
    .replaceAll(/\boffset\s+\w+/g, ' ')
    .replaceAll(/\b\d[\w.]*/g, ' ');
  const metrics = [...rest.matchAll(selector)]
    .filter(({ 0: found, 1: name, index }) => !operators.has(name!) && !/^\s*\(/.test(rest.slice(index + found.length)))
    .map(([, name, matchers]) => ({ name: name!, labels: labelsOf((matchers ?? '').replaceAll(/[!=~]+""/g, '')) }));
  return { metrics, groupedBy };
}

function labelsOf(list: string): string[] {
  return list
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
}
