// A text in UTF-8.
export function decode(bytes) {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch {
    throw new Error('the file is no text in UTF-8');
  }
}
