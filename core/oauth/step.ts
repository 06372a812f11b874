/** One thing that was tried, for a person who has to find out which half of a server is missing. `durationMs` is null where nothing was measured; a refused address is never timed. */
export interface OAuthStep {
  name: 'challenge' | 'resource metadata' | 'authorization server' | 'registration';
  outcome: 'OK' | 'FAILED' | 'SKIPPED';
  message: string;
  durationMs: number | null;
}
