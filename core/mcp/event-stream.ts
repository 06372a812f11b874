import type { Readable } from 'node:stream';

/** One event of a stream. `id` is the last one seen so far; `retryMs` is set where the server named it in this event. */
export interface StreamEvent {
  event: string;
  data: string;
  id: string | null;
  retryMs: number | null;
}

/**
 * Parses Server-Sent Events as they arrive; comments are skipped. An event that the stream's end cuts off is dropped, as the standard says.
 * The stream's own byte cap bounds what is kept in memory. Errors of the stream are passed on.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* readEvents(body: Readable): AsyncGenerator<StreamEvent, void, void> {
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for await (const chunk of body) yield* parser.push(decoder.decode(chunk as Buffer, { stream: true }));
}

/** The state of one stream between chunks. */
class EventParser {
  #buffer = '';
  /** Where the search for a line's end goes on, so that one long line isn't searched again with every chunk. */
  #searched = 0;
  #event = '';
  #data: string[] = [];
  #id: string | null = null;
  #retryMs: number | null = null;

  *push(text: string): Generator<StreamEvent, void, void> {
    this.#buffer += text;
    let start = 0;
    for (;;) {
      const end = this.#lineEnd(Math.max(start, this.#searched));
      if (end === -1) break;
      // A CR at the very end may be half of a CRLF: wait for the next chunk.
      if (this.#buffer[end] === '\r' && end === this.#buffer.length - 1) break;
      const event = this.#line(this.#buffer.slice(start, end));
      start = end + (this.#buffer.startsWith('\r\n', end) ? 2 : 1);
      this.#searched = start;
      if (event !== null) yield event;
    }
    this.#buffer = this.#buffer.slice(start);
    this.#searched = this.#buffer.endsWith('\r') ? this.#buffer.length - 1 : this.#buffer.length;
  }

  #lineEnd(from: number): number {
    const feed = this.#buffer.indexOf('\n', from);
    const carriage = this.#buffer.slice(from, feed === -1 ? undefined : feed).indexOf('\r');
    return carriage === -1 ? feed : from + carriage;
  }

  #line(line: string): StreamEvent | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) this.#retryMs = Number(value);
    return null;
  }

  /** Events without data are passed on too: an `id` or `retry` of theirs counts (2025-11-25, SSE polling). */
  #dispatch(): StreamEvent | null {
    const event = { event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n'), id: this.#id, retryMs: this.#retryMs };
    this.#event = '';
    this.#data = [];
    this.#retryMs = null;
    return event;
  }
}
