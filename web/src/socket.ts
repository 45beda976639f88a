/** A socket that comes back: JSON and binary messages, waits that grow between attempts. */

import type { ClientMessage, ServerMessage } from './protocol'

export type Connection = 'closed' | 'connecting' | 'open' | 'lost' | 'ended'

export interface SocketEvents {
  state(connection: Connection): void
  message(message: ServerMessage): void
  binary(data: ArrayBuffer): void
}

type Opener = (url: URL) => WebSocket

const FIRST_WAIT = 250
const LONGEST_WAIT = 5000
const PING_EVERY = 5000
const SILENCE = 20000

export class Socket {
  /** Milliseconds from a ping to its answer, once there was one. */
  latency: number | null = null

  private socket: WebSocket | null = null
  private wait = FIRST_WAIT
  private retry: ReturnType<typeof setTimeout> | undefined
  private beat: ReturnType<typeof setInterval> | undefined
  private pings = new Map<number, number>()
  private pingNumber = 0
  private heard = 0
  private answersPings = false
  private isClosed = false

  constructor(
    private readonly url: URL,
    private readonly events: SocketEvents,
    private readonly opener: Opener = (address) => new WebSocket(address),
  ) {
    this.connect()
  }

  get isOpen(): boolean {
    return this.socket?.readyState === 1
  }

  /** Sends if connected; what must survive a lost connection is sent again by whoever hears `open`. */
  send(message: ClientMessage): boolean {
    if (!this.isOpen) return false
    this.socket!.send(JSON.stringify(message))
    return true
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.retry)
    clearInterval(this.beat)
    this.socket?.close()
    this.events.state('closed')
  }

  private connect(): void {
    this.events.state(this.wait === FIRST_WAIT ? 'connecting' : 'lost')
    const socket = this.opener(this.url)
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    socket.onopen = () => this.opened()
    socket.onmessage = (event) => this.received(event.data as string | ArrayBuffer)
    socket.onclose = () => this.lost(socket)
  }

  private opened(): void {
    this.wait = FIRST_WAIT
    this.heard = Date.now()
    this.pings.clear()
    clearInterval(this.beat)
    this.beat = setInterval(() => this.ping(), PING_EVERY)
    this.events.state('open')
    this.ping()
  }

  private ping(): void {
    if (this.answersPings && Date.now() - this.heard > SILENCE) {
      this.socket?.close()
      return
    }
    this.pingNumber -= 1 // below zero: never the number of a command
    this.pings.set(this.pingNumber, performance.now())
    this.send({ type: 'ping', id: this.pingNumber })
  }

  private received(data: string | ArrayBuffer): void {
    this.heard = Date.now()
    if (typeof data !== 'string') {
      this.events.binary(data)
      return
    }
    const message = JSON.parse(data) as ServerMessage
    if ('id' in message && typeof message.id === 'number' && this.pings.has(message.id)) {
      this.latency = performance.now() - this.pings.get(message.id)!
      this.pings.delete(message.id)
      this.answersPings = true
      return
    }
    if (message.type === 'ended') {
      this.isClosed = true
      this.events.message(message)
      this.events.state('ended')
      return
    }
    this.events.message(message)
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket || this.isClosed) return
    clearInterval(this.beat)
    this.events.state('lost')
    this.retry = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 2))
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT)
  }
}
