/** A call of a tool as a server saw it. */
export interface Sighting {
  nonce: string;
  /** The credential that it came with: of a login with OAuth its consent, otherwise the value itself. */
  credential: string;
}

/** What a server saw of calls. */
export class Sightings {
  readonly all: Sighting[] = [];

  note(credential: string, args: Record<string, unknown>): void {
    this.all.push({ nonce: String(args['message']), credential });
  }
}
