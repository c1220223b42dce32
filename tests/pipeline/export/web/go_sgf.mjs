// Reads each given record and writes it again: {read, written}, or {error} where it is none.
import {readFileSync} from 'node:fs';

const {parseSgf, sgfText} = await import(`${process.argv[2]}/go-sgf.js`);
const found = JSON.parse(readFileSync(0, 'utf8')).map(text => {
  try {
    const read = parseSgf(text);
    return {read, written: sgfText({...read, result: 'W+2.5', blackName: 'a ]\\ b', whiteName: 'c'})};
  } catch (error) {
    return {error: error.message};
  }
});
console.log(JSON.stringify(found));
