/** A socket that comes back: JSON and binary messages, waits that grow between attempts. */

import type { ClientMessage, ServerMessage } from './protocol'

export type Connection = 'closed' | 'connecting' | 'open' | 'lost' | 'ended'

export interface SocketEvents {
  state(connection: Connection): void
  /** Whether nothing was heard for a while, though the connection stands. */
  silent(isSilent: boolean): void
  message(message: ServerMessage): void
  binary(data: ArrayBuffer): void
}

type Opener = (url: URL) => WebSocket

const FIRST_WAIT = 250
const LONGEST_WAIT = 5000
/** Milliseconds between two looks at whether anything is heard; every other one asks for an answer. */
const BEAT = 1000
/** After so many milliseconds without a word the other side does not answer, and after so many it is asked anew. */
const QUIET = 4500
const SILENCE = 12000
/** The same before its first answer, which waits until a large net is built. */
const FIRST_SILENCE = 30000
/** How long an attempt to connect may take. */
const PATIENCE = 10000

export class Socket {
  /** Milliseconds from a ping to its answer, once there was one. */
  latency: number | null = null

  private socket: WebSocket | null = null
  private wait = FIRST_WAIT
  private retry: ReturnType<typeof setTimeout> | undefined
  private beat: ReturnType<typeof setInterval> | undefined
  private patience: ReturnType<typeof setTimeout> | undefined
  private beats = 0
  private isSilent = false
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
    addEventListener('online', this.atOnce)
    document.addEventListener('visibilitychange', this.atOnce)
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
    this.finish()
    this.socket?.close()
    this.events.state('closed')
  }

  /** Ends all attempts. */
  private finish(): void {
    this.isClosed = true
    clearTimeout(this.retry)
    clearTimeout(this.patience)
    clearInterval(this.beat)
    removeEventListener('online', this.atOnce)
    document.removeEventListener('visibilitychange', this.atOnce)
  }

  /** Tries again now, where it waits for its next attempt: the network is back, or somebody looks at the page again. */
  private readonly atOnce = (): void => {
    if (this.retry === undefined || document.hidden) return
    clearTimeout(this.retry)
    this.connect()
  }

  private connect(): void {
    this.retry = undefined
    this.events.state(this.wait === FIRST_WAIT ? 'connecting' : 'lost')
    const socket = this.opener(this.url)
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    socket.onopen = () => this.opened()
    socket.onmessage = (event) => this.received(event.data as string | ArrayBuffer)
    socket.onclose = () => this.lost(socket)
    clearTimeout(this.patience)
    this.patience = setTimeout(() => this.lose(socket), PATIENCE)
  }

  private opened(): void {
    this.wait = FIRST_WAIT
    clearTimeout(this.patience)
    clearInterval(this.beat)
    this.pings.clear()
    this.hear()
    this.beat = setInterval(() => this.look(), BEAT)
    this.events.state('open')
    this.ping()
  }

  private hear(): void {
    this.heard = Date.now()
    if (this.isSilent) this.events.silent((this.isSilent = false))
  }

  private look(): void {
    const silence = Date.now() - this.heard
    if (silence > (this.answersPings ? SILENCE : FIRST_SILENCE)) {
      this.lose(this.socket!)
      return
    }
    if (silence > QUIET && !this.isSilent) this.events.silent((this.isSilent = true))
    this.beats += 1
    if (this.beats % 2 === 0) this.ping()
  }

  private ping(): void {
    this.pingNumber -= 1 // below zero: never the number of a command
    this.pings.set(this.pingNumber, performance.now())
    this.send({ type: 'ping', id: this.pingNumber })
  }

  private received(data: string | ArrayBuffer): void {
    this.hear()
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
      this.finish()
      this.events.message(message)
      this.events.state('ended')
      return
    }
    this.events.message(message)
  }

  /** Gives a connection up. A browser waits long for the other side's word of farewell, which will not come. */
  private lose(socket: WebSocket): void {
    socket.close()
    this.lost(socket)
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket || this.isClosed) return
    this.socket = null
    clearInterval(this.beat)
    clearTimeout(this.patience)
    this.isSilent = false
    this.events.state('lost')
    this.retry = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 2))
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT)
  }
}
