/** Errors and overviews show this many characters of foreign text: a field's name, a host, the beginning of a fault. */
const told = 200;

/** A text of others as it stands in errors and overviews: one of 1 MB would not fit into the message that tells of it. */
export function excerpt(text: string, most = told): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}
