/** What an error says of a connection URL that can't be parsed; the value, which may hold a password, is never shown. */
export const UNPARSABLE_URL = "the URL can't be parsed";
export const ENCODE_REMEDY = 'Percent-encode special characters of the password (# is %23, % is %25, @ is %40, / is %2F, ? is %3F).';

/**
 * False for a postgres:// URL that parsers refuse or read in another way than its author meant: unescaped, a # / or ? ends the password and
 * a second @ moves the host; a % that is no escape can't be decoded. Several hosts are allowed. What is no postgres:// URL is not judged.
 */
export function isConnectionUrl(text: string): boolean {
  const [, scheme, authority, path = ''] = /^(postgres(?:ql)?:\/\/)([^/?]*)([^?]*)/.exec(text) ?? [];
  if (scheme === undefined || authority === undefined) return true;
  if (text.includes('#') || path.includes('@') || authority.split('@').length > 2) return false;
  // The parser knows one host only.
  const oneHost = authority.slice(0, authority.lastIndexOf('@') + 1) + authority.slice(authority.lastIndexOf('@') + 1).split(',')[0];
  try {
    decodeURIComponent(text);
    new URL(scheme + oneHost + text.slice(scheme.length + authority.length));
    return true;
  } catch {
    return false;
  }
}
