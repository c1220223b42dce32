// How a text becomes the input: the numbers of its pieces.
const TYPES = {int32: Int32Array, int64: BigInt64Array};
const BLANK = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';  // As Python splits and strips.
const WORD = /[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*|[!?]/gu;

export function prepare(text, about) {
  const type = TYPES[about.dtype];
  if (!type) throw new Error(`numbers of tokens in ${about.dtype} are not known here`);
  const found = encode(text, about).slice(0, about.length);
  const row = [...found, ...Array(about.length - found.length).fill(about.pad)];
  return {dtype: about.dtype, shape: [1, about.length], data: type.from(row, about.dtype === 'int64' ? BigInt : Number)};
}

export function encode(text, about) {
  const numbers = new Map(about.tokens.map((token, place) => [token, place + about.first]));
  const stripped = text.replace(new RegExp(`^${BLANK}+|${BLANK}+$`, 'g'), '');
  const pieces = split(about.lower ? stripped.toLowerCase() : stripped, about.split);
  if (!pieces.length && about.split === 'vocabulary') throw new Error('the text has no words');
  return pieces.map((piece) => {
    const number = numbers.get(piece) ?? about.unknown;
    if (number === null) throw new Error(`'${piece}' is none of the ${numbers.size} tokens`);
    return number;
  });
}

function split(text, how) {
  if (how === 'characters') return [...text];
  if (how === 'words') return text.split(new RegExp(`${BLANK}+`)).filter((piece) => piece);
  return (text.match(WORD) ?? []).map((word) => word.replaceAll('’', "'"));
}
