import { Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { EgressError } from './errors.js';

/** The connection that a body arrives on, as far as the body steers it. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** Ends the exchange: fails this body, and closes the connection if it is still in use. */
  abort(error: EgressError): void;
  /** Nothing more will happen to this body; whatever watched over it may stop. */
  settled(): void;
}

/** How much may lie unread before the connection is paused, and how much is read to the end rather than giving up a connection. */
const HIGH_WATER = 64 * 1024;

/**
 * The body of one answer: decompressed, counted after decompression, and never more than `maxBytes` of it. It is read once, as a stream or
 * as text; until then at most some 64 KiB are buffered. Failures are {@link EgressError}s and wait for a reader.
 */
export class ResponseBody {
  readonly #source: BodySource;
  readonly #maxBytes: number;
  readonly #encoding: string;
  #decoder: Transform | null = null;
  #chunks: Buffer[] = [];
  #received = 0;
  #ended = false;
  #error: EgressError | null = null;
  #stream: Readable | null = null;
  #discarding = false;
  #collector: { resolve(): void; reject(error: EgressError): void } | null = null;
  #text: Promise<string> | null = null;

  /** @param encoding the `Content-Encoding`, empty if there is none */
  constructor(source: BodySource, maxBytes: number, encoding: string) {
    this.#source = source;
    this.#maxBytes = maxBytes;
    this.#encoding = encoding;
  }

  /** Takes bytes from the connection. */
  push(chunk: Buffer): void {
    if (this.#error || this.#ended) return;
    if (this.#encoding === '') return this.#accept(chunk);
    this.#decoder ??= this.#openDecoder(chunk);
    if (this.#decoder && !this.#decoder.write(chunk)) this.#source.pause();
  }

  /** The connection delivered all of it. */
  end(): void {
    if (this.#decoder) this.#decoder.end();
    else this.#finish();
  }

  /** The connection broke, or somebody gave up. The first failure counts. */
  fail(error: EgressError): void {
    if (this.#error || this.#ended) return;
    this.#error = error;
    this.#chunks = [];
    this.#decoder?.destroy();
    this.#stream?.destroy(error);
    this.#collector?.reject(error);
    this.#source.settled();
  }

  /** Whether nothing more can arrive. */
  get settled(): boolean {
    return this.#ended || this.#error !== null;
  }

  /** The body as a stream. Destroying it closes the connection. */
  stream(): Readable {
    if (this.#stream) return this.#stream;
    const stream = new Readable({
      highWaterMark: HIGH_WATER,
      read: () => this.#flow(),
      destroy: (error, callback) => {
        if (!this.settled) this.#source.abort(new EgressError('ABORTED', 'the body was not read to its end', { sent: 'MAYBE' }));
        callback(error);
      },
    });
    // Whoever stopped reading must not crash the process with an error that nobody waits for; readers see it all the same.
    stream.on('error', () => undefined);
    for (const chunk of this.#chunks) stream.push(chunk);
    this.#chunks = [];
    this.#stream = stream;
    if (this.#error) stream.destroy(this.#error);
    else if (this.#ended) stream.push(null);
    return stream;
  }

  /** The whole body as UTF-8 text, without a byte order mark. */
  text(): Promise<string> {
    return this.#text ??= this.#readText();
  }

  /**
   * Gives the body up without an error: what is left is read away if it is known to be short, otherwise the connection is closed.
   * @param remaining bytes that are still to come, null if unknown
   */
  async discard(remaining: number | null): Promise<void> {
    if (this.#stream) this.#stream.destroy();
    if (this.settled || this.#stream) return;
    this.#discarding = true;
    this.#chunks = [];
    if (remaining === null || remaining > HIGH_WATER || this.#encoding !== '' || this.#collector) {
      this.#source.abort(new EgressError('ABORTED', 'the body was discarded', { sent: 'MAYBE' }));
      return;
    }
    await new Promise<void>((resolve) => {
      this.#collector = { resolve, reject: () => resolve() };
      this.#flow();
    });
  }

  async #readText(): Promise<string> {
    if (this.#stream) {
      for await (const chunk of this.#stream) this.#chunks.push(chunk as Buffer);
    } else if (this.#error) {
      throw this.#error;
    } else if (!this.#ended) {
      await new Promise<void>((resolve, reject) => {
        this.#collector = { resolve, reject };
        this.#flow();
      });
    }
    const text = (this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)).toString('utf8');
    this.#chunks = [];
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }

  #accept(chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#received > this.#maxBytes) {
      this.#source.abort(new EgressError('TOO_LARGE', `the body exceeds ${this.#maxBytes} bytes`, { sent: 'MAYBE' }));
    } else if (this.#discarding) {
      return;
    } else if (this.#stream) {
      if (!this.#stream.push(chunk)) this.#hold();
    } else {
      this.#chunks.push(chunk);
      if (!this.#collector && this.#received > HIGH_WATER) this.#hold();
    }
  }

  #finish(): void {
    if (this.settled) return;
    this.#ended = true;
    this.#stream?.push(null);
    this.#collector?.resolve();
    this.#source.settled();
  }

  #hold(): void {
    if (this.#decoder) this.#decoder.pause();
    else this.#source.pause();
  }

  #flow(): void {
    if (this.settled) return;
    if (this.#decoder) this.#decoder.resume();
    else this.#source.resume();
  }

  #openDecoder(first: Buffer): Transform | null {
    const decoder = decoderFor(this.#encoding, first);
    if (!decoder) {
      this.#source.abort(new EgressError('PROTOCOL', 'content encoding not supported', {
        sent: 'MAYBE', publicMessage: 'the server compressed its answer in a way that is not supported',
      }));
      return null;
    }
    decoder.on('data', (chunk: Buffer) => { if (!this.settled) this.#accept(chunk); });
    decoder.on('drain', () => this.#source.resume());
    decoder.on('end', () => this.#finish());
    decoder.on('error', (cause) => {
      this.#source.abort(new EgressError('PROTOCOL', 'broken compression', { sent: 'MAYBE', publicMessage: 'the compressed answer is damaged', cause }));
    });
    return decoder;
  }
}

/** One coding of [RFC 9110, section 8.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1); stacked ones are refused with the unknown ones. */
function decoderFor(encoding: string, first: Buffer): Transform | null {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip();
  if (encoding === 'br') return createBrotliDecompress();
  // "deflate" means zlib, but some servers send it raw; a zlib header has 8 in its low nibble.
  if (encoding === 'deflate') return (first[0]! & 0x0f) === 8 ? createInflate() : createInflateRaw();
  return null;
}
