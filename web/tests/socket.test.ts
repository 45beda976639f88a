import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ServerMessage } from '../src/protocol'
import { Socket, type Connection } from '../src/socket'

class FakeSocket {
  static made: FakeSocket[] = []
  readyState = 0
  binaryType = ''
  sent: string[] = []
  onopen = () => {}
  onclose = () => {}
  onmessage: (event: { data: unknown }) => void = () => {}

  constructor() {
    FakeSocket.made.push(this)
  }

  send(text: string) {
    this.sent.push(text)
  }

  close() {
    this.readyState = 3
    this.onclose()
  }

  open() {
    this.readyState = 1
    this.onopen()
  }

  say(message: object) {
    this.onmessage({ data: JSON.stringify(message) })
  }
}

let states: Connection[]
let heard: ServerMessage[]
let binary: ArrayBuffer[]
let silences: boolean[]
let socket: Socket
const newest = () => FakeSocket.made.at(-1)!

beforeEach(() => {
  vi.useFakeTimers()
  FakeSocket.made = []
  states = []
  heard = []
  binary = []
  silences = []
  const events = { state: (state: Connection) => states.push(state), silent: (is: boolean) => silences.push(is), message: (message: ServerMessage) => heard.push(message), binary: (data: ArrayBuffer) => binary.push(data) }
  socket = new Socket(new URL('ws://127.0.0.1/'), events, () => new FakeSocket() as unknown as WebSocket)
})

afterEach(() => {
  socket.close()
  vi.useRealTimers()
})

describe('a socket', () => {
  it('passes on what it hears', () => {
    newest().open()
    newest().say({ type: 'ended', reason: 'done' })
    newest().onmessage({ data: new ArrayBuffer(4) })
    expect([states, heard, binary.length]).toEqual([['connecting', 'open', 'ended'], [{ type: 'ended', reason: 'done' }], 1])
  })

  it('comes back, and waits longer each time', () => {
    newest().open()
    newest().close()
    expect(states.at(-1)).toBe('lost')
    vi.advanceTimersByTime(400)
    expect(FakeSocket.made.length).toBe(2)
    newest().close()
    vi.advanceTimersByTime(300)
    expect(FakeSocket.made.length).toBe(2)
    vi.advanceTimersByTime(500)
    expect(FakeSocket.made.length).toBe(3)
    newest().open()
    expect(states.at(-1)).toBe('open')
  })

  it('does not come back when it was closed, or when the session has ended', () => {
    newest().open()
    newest().say({ type: 'ended', reason: 'done' })
    newest().close()
    vi.advanceTimersByTime(60_000)
    expect(FakeSocket.made.length).toBe(1)
  })

  it('measures the time to an answer, and keeps pings to itself', () => {
    newest().open()
    const { id } = JSON.parse(newest().sent[0]!) as { id: number }
    vi.advanceTimersByTime(30)
    newest().say({ type: 'pong', id })
    expect(socket.latency).toBeGreaterThanOrEqual(30)
    expect(heard).toEqual([])
  })

  it('gives up a connection that no longer answers', () => {
    newest().open()
    const { id } = JSON.parse(newest().sent[0]!) as { id: number }
    newest().say({ type: 'pong', id })
    vi.advanceTimersByTime(6000)
    expect([silences, states.at(-1)]).toEqual([[true], 'open'])
    vi.advanceTimersByTime(8000)
    expect(FakeSocket.made.length).toBe(2)
  })

  it('tells that a first answer is missing, and waits longer for it', () => {
    newest().open()
    newest().say({ type: 'status' })
    vi.advanceTimersByTime(14_000)
    expect([silences, FakeSocket.made.length]).toEqual([[true], 1])
    vi.advanceTimersByTime(20_000)
    expect(FakeSocket.made.length).toBe(2)
  })

  it('tells that it is answered again', () => {
    newest().open()
    const { id } = JSON.parse(newest().sent[0]!) as { id: number }
    newest().say({ type: 'pong', id })
    vi.advanceTimersByTime(6000)
    newest().say({ type: 'status' })
    expect(silences).toEqual([true, false])
  })

  it('does not wait for ever for a connection', () => {
    vi.advanceTimersByTime(11_000)
    expect(FakeSocket.made.length).toBe(2)
    expect(states).toEqual(['connecting', 'lost', 'lost'])
  })

  it('tries again at once when the network is back', () => {
    newest().open()
    newest().close()
    dispatchEvent(new Event('online'))
    expect(FakeSocket.made.length).toBe(2)
    vi.advanceTimersByTime(1000)
    expect(FakeSocket.made.length).toBe(2)
  })

  it('sends nothing before it is open', () => {
    expect(socket.send({ type: 'unwatch', id: 1 })).toBe(false)
    expect(newest().sent).toEqual([])
  })
})
