/** Someone who looks at the operations page without a browser: one session, whose forms are posted as a browser posts them. */
export interface Visitor {
  get(path: string): Promise<Seen>;
  /** Without following the redirect that an action answers. */
  post(path: string, fields: readonly (readonly [string, string])[]): Promise<Seen>;
  /** Posts the one form of `seen` that has a seal, with what a person adds: the confirmation. */
  confirm(seen: Seen, added?: Readonly<Record<string, string>>): Promise<Seen>;
}

export interface Seen {
  readonly status: number;
  readonly text: string;
  /** Where a redirect goes to. */
  readonly location: string | null;
}

/** @param token null: nobody logs in */
export async function visit(url: string, token: string | null): Promise<Visitor> {
  const cookies = new Map<string, string>();
  const ask = async (path: string, init: RequestInit): Promise<Seen> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(init.headers as Record<string, string>), ...(cookie === '' ? {} : { cookie }) };
    const response = await fetch(new URL(path, url), { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0]!.split(/=(.*)/s) as [string, string];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return { status: response.status, text: await response.text(), location: response.headers.get('location') };
  };
  const post: Visitor['post'] = (path, fields) =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: new URL(url).origin },
      body: new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])).toString(),
    });
  if (token !== null) await post('/login', [['token', token]]);
  return {
    get: (path) => ask(path, {}),
    post,
    confirm(seen, added = {}) {
      const form = /<form method="post" action="(\/do\/[^"]+)">((?:(?!<\/form>).)*name="seal".*?)<\/form>/s.exec(
        seen.text,
      );
      if (form === null) throw new Error(`no confirmation in ${seen.text}`);
      const fields = [...form[2]!.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
        ([, name, value]) => [unescaped(name!), unescaped(value!)] as const,
      );
      return post(form[1]!, [...fields, ...Object.entries(added)]);
    },
  };
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
