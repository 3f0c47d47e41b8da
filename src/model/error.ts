/**
 * An error a user can act on: a stable `code`, a message that says what happened and a `remedy` that says what to do.
 * The command line prints it as `{ "error": { "code", "message", "remedy" } }` under `--json`.
 * Messages carry names, counts and codes; never row values or passwords.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: string;
  readonly remedy: string;

  constructor(code: string, message: string, remedy: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.remedy = remedy;
  }
}
