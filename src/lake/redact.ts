/** `scheme://user:password@host`, with whatever stands for the password. Greedy to the last `@` of the word: passwords hold `@` and `/` too. */
const url = /(postgres(?:ql)?:\/\/[^\s:/@'"]*:)[^\s'"]*(?=@)/gi;
/** `password=…` of a libpq keyword string or of a URL's query. */
const keyword = /((?:^|[\s?&'"])(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'"]+)/gi;

/** The text without the passwords of connection strings in it, nor any of `secrets`. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '***');
  return clean.replace(url, '$1***').replace(keyword, '$1***');
}

/** The passwords in a connection string, as written and decoded, so that they can be taken out of other programs' messages. */
export function secretsOf(dsn: string): string[] {
  const found = new Set<string>();
  for (const match of dsn.matchAll(/:\/\/[^:/@]*:(.*)@/g)) if (match[1] !== undefined) found.add(match[1]);
  for (const match of dsn.matchAll(/password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&'"]+)/gi)) {
    if (match[1] !== undefined) found.add(match[1].replace(/^'(.*)'$/s, '$1'));
  }
  for (const secret of [...found]) {
    try {
      found.add(decodeURIComponent(secret));
    } catch {
      // Not percent-encoded: the text as written is in the set already.
    }
  }
  // Longest first: a short one may be part of a long one.
  return [...found].sort((a, b) => b.length - a.length);
}
