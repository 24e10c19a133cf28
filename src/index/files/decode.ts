import type { ReadFile } from './types.ts';

/** Of a text, the most of it that may be control characters; of random bytes, 11 % are. */
const MOST_CONTROL = 0.03;
/** What of a file tells whether it is UTF-16 without a mark, in bytes. */
const SAMPLE = 1 << 16;
/** Of such a text, the share of bytes that are zero, and for each of them the zeros on the other side. */
const FEWEST_ZEROS = 0.05;
const MOST_OTHER_ZEROS = 0.125;

/**
 * The text that bytes stand for, as well-formed Unicode without a byte order mark; undefined where they are no text.
 * UTF-16 is known by its mark or by the zeros of its Latin letters; what is neither that nor UTF-8 is read as
 * windows-1252, which takes any byte.
 */
export function decode(bytes: Uint8Array): Pick<ReadFile, 'text' | 'encoding'> | undefined {
  const encoding = encodingOf(bytes);
  if (encoding === undefined) return undefined;
  const text = new TextDecoder(encoding === 'latin1' ? 'windows-1252' : encoding).decode(bytes).toWellFormed();
  return isText(text) ? { text, encoding } : undefined;
}

function encodingOf(bytes: Uint8Array): ReadFile['encoding'] | undefined {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (bytes.includes(0)) return utf16Of(bytes);
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  return isValid(bytes, 'utf-8') ? 'utf-8' : 'latin1';
}

/** A text in UTF-16 that has Latin letters, spaces or line ends has zeros, nearly all of them in the upper halves. */
function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes.length % 2 !== 0) return undefined;
  const zeros = [0, 0];
  const end = Math.min(bytes.length, SAMPLE);
  for (let at = 0; at < end; at++) if (bytes[at] === 0) zeros[at % 2]!++;
  const [even, odd] = zeros as [number, number];
  const encoding = odd > even ? 'utf-16le' : 'utf-16be';
  const isPattern = Math.max(even, odd) >= end * FEWEST_ZEROS && Math.min(even, odd) <= Math.max(even, odd) * MOST_OTHER_ZEROS;
  return isPattern && isValid(bytes, encoding) ? encoding : undefined;
}

function isValid(bytes: Uint8Array, encoding: string): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** No NUL, and hardly a control character beside those of white space, terminals (ESC) and printers (backspace). */
function isText(text: string): boolean {
  let control = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0) return false;
    if (code < 8 || (code > 13 && code < 32 && code !== 27) || code === 127) control++;
  }
  return control <= text.length * MOST_CONTROL;
}
