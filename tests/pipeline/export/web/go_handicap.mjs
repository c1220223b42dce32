// The names of all actions and the fixed handicaps, for boards of the given sizes.
import {readFileSync} from 'node:fs';

const {Go} = await import(`${process.argv[2]}/go-rules.js`);
const found = JSON.parse(readFileSync(0, 'utf8')).map(size => {
  const go = new Go({size, komi: 7});
  const names = Array.from({length: go.actions}, (_, action) => go.name(action));
  const handicaps = Array.from({length: Math.max(0, go.mostHandicap() - 1)}, (_, index) => go.handicapCells(index + 2));
  return [names, handicaps];
});
console.log(JSON.stringify(found));
