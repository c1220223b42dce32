// A whole game of an engine against itself, driven by the controller of the Sabaki board. Arguments: the engine's command.
const {Controller} = require('@sabaki/gtp')

async function main() {
  const engine = new Controller(process.argv[2], process.argv.slice(3))
  engine.start()
  const ask = async (name, ...args) => {
    const response = await engine.sendCommand({name, args})
    if (response.error) throw new Error(`${name} ${args.join(' ')}: ${response.content}`)
    return response.content
  }
  await ask('boardsize', '5')
  await ask('komi', '7')
  await ask('clear_board')
  const moves = []
  while (moves.slice(-2).join() !== 'pass,pass' && moves.slice(-1)[0] !== 'resign' && moves.length < 100) {
    moves.push(await ask('genmove', moves.length % 2 ? 'W' : 'B'))
  }
  let lines = 0
  await engine.sendCommand({name: 'clear_board'})
  // An analysis ends with the next command, so it is not waited for before that is sent.
  const analysis = engine.sendCommand({name: 'lz-analyze', args: ['B', '5']}, ({line}) => { if (line.startsWith('info move ')) lines++ })
  await new Promise(resolve => setTimeout(resolve, 1000))
  const refused = await engine.sendCommand({name: 'boardsize', args: ['77']})
  await analysis
  console.log(JSON.stringify({moves, score: await ask('final_score'), lines, refused: refused.error}))
  await engine.stop()
}

main().catch(error => { console.error(error); process.exit(1) })
