/** `name=value` in the query of a connection URL, where the value is a secret. */
const SECRET_PARAMETER = /([?&](?:ssl)?password=|[?&][a-z_]*(?:secret|token)[a-z_]*=)[^&]*/gi;

/**
 * A connection URL that may be shown or logged: `***` in place of its password and of secret query parameters.
 * Works on the text, because a password with an unescaped / or # makes a URL that parsers read wrongly. Where the text allows more than one
 * reading, more is hidden rather than less; what is no URL at all becomes `***`.
 */
export function redactUrl(url: string): string {
  if (/^(sqlite|duckdb):(?!\/\/)/i.test(url)) return url;
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) return '***';
  const end = rest.lastIndexOf('@');
  if (end === -1) return scheme + rest.replace(SECRET_PARAMETER, '$1***');
  const [, user, password] = /^([^:/?#]*)(:.*)?$/s.exec(rest.slice(0, end)) ?? [];
  // The last @ lies behind the host, in a parameter: what is secret before it can't be told.
  if (user === undefined || /[?&][a-z_]*(password|secret|token)[a-z_]*=/i.test(rest.slice(0, end))) return `${scheme}***`;
  return `${scheme}${user}${password === undefined ? '' : ':***'}@${rest.slice(end + 1).replace(SECRET_PARAMETER, '$1***')}`;
}
