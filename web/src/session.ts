/**
 * The one store of the page: the live session that it shows.
 *
 * Signals hold what is known (`status`, `description`, `history`, ...); `subscribe` watches an address; `command` acts.
 * Panels read signals in their render functions and are drawn anew when those change. Values that come many times a
 * second (readings, rows of metrics) go to callbacks instead, which draw into a canvas without a render.
 */

import { batch, computed, signal } from '@preact/signals'
import {
  FaultError,
  type BlockInfo,
  type Description,
  type EdgeInfo,
  type HistoryEntry,
  type MetricsRow,
  type ReductionName,
  type ServerMessage,
  type Status,
  type SystemReading,
} from './protocol'
import { rest as defaultRest, type Rest } from './rest'
import { Socket, type Connection, type SocketEvents } from './socket'
import { Watches, type Stop, type WatchOptions } from './watches'
import { decode, type Reading } from './wire'

export type { Connection, Reading, Stop, WatchOptions }

interface Pending {
  resolve(result: unknown): void
  reject(error: Error): void
}

export type Selection =
  | { kind: 'block'; path: string }
  | { kind: 'edge'; from: string; to: string; port: number }
  | { kind: 'module'; path: string }

type Opener = (url: URL, events: SocketEvents) => Pick<Socket, 'send' | 'close' | 'latency' | 'isOpen'>

export class Store {
  /** `name/n` of the session shown, or null. */
  readonly id = signal<string | null>(null)
  readonly connection = signal<Connection>('closed')
  readonly status = signal<Status | null>(null)
  readonly description = signal<Description | null>(null)
  readonly history = signal<HistoryEntry[]>([])
  readonly system = signal<SystemReading | null>(null)
  /** Why the session ended, once it did. */
  readonly ended = signal<string | null>(null)
  /** Whether the session answers no more, though the connection stands. */
  readonly isSilent = signal(false)
  /** Why a lost connection does not come back, as far as that is known. */
  readonly trouble = signal<string | null>(null)
  /** The newest fault that no caller handled itself; the page shows it. */
  readonly fault = signal<FaultError | null>(null)

  /** What the inspector shows; set by the net, the outline and the search. */
  readonly selection = signal<Selection | null>(null)
  /** The stream of the batch that thumbnails show. */
  readonly stream = signal(0)

  readonly blocks = computed(() => new Map<string, BlockInfo>(this.description.value?.blocks.map((b) => [b.path, b])))

  private socket: ReturnType<Opener> | null = null
  private readonly watches = new Watches(
    () => ++this.number,
    (message) => this.socket?.send(message),
  )
  private readonly pending = new Map<number, Pending>()
  private readonly metricListeners = new Set<(rows: MetricsRow[], isAnew: boolean) => void>()
  private readonly entryListeners = new Set<(entry: HistoryEntry) => void>()
  private number = 0
  /** Grows with every session that is opened or left; its name may change meanwhile. */
  private turn = 0
  private wasLost = false

  constructor(
    readonly rest: Rest = defaultRest,
    private readonly opener: Opener = (url, events) => new Socket(url, events),
  ) {}

  /** Shows another session. Watches and the selection of the one before end. */
  open(id: string): void {
    if (this.id.value === id && this.socket && this.connection.value !== 'ended') return
    this.close()
    this.turn += 1
    this.id.value = id
    this.socket = this.opener(this.rest.socket(id), {
      state: (connection) => this.connected(connection),
      silent: (isSilent) => (this.isSilent.value = isSilent),
      message: (message) => this.heard(message),
      binary: (data) => this.read(data),
    })
    void this.refresh()
  }

  close(): void {
    this.turn += 1
    this.socket?.close()
    this.socket = null
    this.watches.clear()
    this.failPending('the page left the session')
    batch(() => {
      this.id.value = null
      this.connection.value = 'closed'
      this.status.value = null
      this.description.value = null
      this.history.value = []
      this.system.value = null
      this.ended.value = null
      this.trouble.value = null
      this.isSilent.value = false
      this.selection.value = null
    })
  }

  get latency(): number | null {
    return this.socket?.latency ?? null
  }

  /**
   * Has every reading of an address, reduced at the source, given to a callback until `stop` is called.
   *
   * Equal subscriptions share one watch; a late one is given the newest reading at once.
   */
  subscribe(
    address: string,
    reduction: ReductionName,
    callback: (reading: Reading) => void,
    options: WatchOptions = {},
    onRefused: (error: FaultError) => void = () => {},
  ): Stop {
    const { rate = 30, stream = this.stream.peek(), ...settings } = options
    return this.watches.subscribe({ address, reduction, rate, stream, settings }, callback, onRefused)
  }

  /**
   * Gives the session a command, as it would be typed in the shell: `lesion hidden1`.
   *
   * Rejects with a `FaultError` if it is refused; then nothing has changed.
   */
  command(text: string): Promise<unknown> {
    const id = ++this.number
    return new Promise((resolve, reject) => {
      if (!this.socket?.send({ type: 'command', id, text })) {
        reject(new FaultError([{ address: text, rule: 'there is no connection to the session', hint: 'wait until it is back' }]))
        return
      }
      this.pending.set(id, { resolve, reject })
    })
  }

  /** Gives a command and shows its fault on the page, for buttons that have no place of their own for it. */
  async perform(text: string): Promise<boolean> {
    try {
      await this.command(text)
      return true
    } catch (error) {
      this.fault.value = error instanceof FaultError ? error : new FaultError([{ address: text, rule: String(error) }])
      return false
    }
  }

  /**
   * Rows of metrics as they are written. What came before is `rest.get('runs/ID/metrics')`.
   *
   * `isAnew` says that the run went back, and that what was written before holds no longer.
   */
  onMetrics(listener: (rows: MetricsRow[], isAnew: boolean) => void): Stop {
    this.metricListeners.add(listener)
    return () => this.metricListeners.delete(listener)
  }

  onEntry(listener: (entry: HistoryEntry) => void): Stop {
    this.entryListeners.add(listener)
    return () => this.entryListeners.delete(listener)
  }

  /** A path below the session's own: `store.path('addresses')`. */
  path(below: string): string {
    return `sessions/${this.id.peek() ?? ''}/${below}`
  }

  // --- the socket -----------------------------------------------------------------------------

  private connected(connection: Connection): void {
    const isAgain = connection === 'lost' && this.connection.peek() === 'lost'
    batch(() => {
      this.connection.value = connection
      this.isSilent.value = false
      if (connection === 'open') this.trouble.value = null
    })
    if (connection === 'open') {
      this.watches.sendAll()
      if (this.wasLost) void this.refresh()
      this.wasLost = false
    } else if (connection === 'lost' || connection === 'ended') {
      this.wasLost = connection === 'lost'
      this.failPending('the connection was lost before the answer came')
      if (isAgain) void this.inquire()
    }
  }

  private isInquiring = false

  /** Finds out why a connection does not come back: a socket that fails does not say. */
  private async inquire(): Promise<void> {
    if (this.isInquiring) return
    this.isInquiring = true
    const { turn } = this
    try {
      await this.rest.get<Status>(`sessions/${this.id.peek() ?? ''}`)
      this.note(turn, 'the server answers, but takes no socket: too many pages look at it, or something between here and it lets none through')
    } catch (error) {
      const status = error instanceof FaultError ? error.status : null
      if (status === 404) this.over(turn)
      else this.note(turn, status === 401 ? 'the server was started anew: open the address that it has printed' : status === 429 ? 'the server is asked too much at present' : 'the server does not answer')
    } finally {
      this.isInquiring = false
    }
  }

  private note(turn: number, trouble: string | null): void {
    if (this.turn === turn && this.connection.peek() === 'lost') this.trouble.value = trouble
  }

  /** The server is there, and knows the session no more. */
  private over(turn: number): void {
    if (this.turn !== turn || this.connection.peek() !== 'lost') return
    this.socket?.close()
    batch(() => {
      this.ended.value = 'the session is not live any more'
      this.connection.value = 'ended'
    })
  }

  /** Asks for what the socket does not tell by itself; at once, beside the socket's own opening. */
  private async refresh(): Promise<void> {
    const [id, turn] = [this.id.peek(), this.turn]
    const described = this.describe(null).catch((error: unknown) => error)
    try {
      const [status, history] = await Promise.all([
        this.rest.get<Status>(`sessions/${id ?? ''}`),
        this.rest.get<HistoryEntry[] | { history: HistoryEntry[] }>(this.path('history')),
      ])
      if (this.turn !== turn) return
      batch(() => {
        this.status.value = { ...this.status.peek(), ...status }
        this.history.value = Array.isArray(history) ? history : history.history
      })
      const failed = await described
      if (failed instanceof FaultError) throw failed
    } catch (error) {
      if (this.turn === turn && this.id.peek() === id && error instanceof FaultError) this.fault.value = error
    }
  }

  private describing: Promise<void> | null = null

  /** Has the description of a revision; of the newest, if the revision is not known yet. */
  private async describe(revision: number | null): Promise<void> {
    const { turn } = this
    await this.describing?.catch(() => {})
    const known = this.description.peek()?.revision
    if (this.turn !== turn || (known !== undefined && (revision === null || known === revision))) return
    this.describing = this.fetchDescription()
    await this.describing.finally(() => (this.describing = null))
  }

  /** Asks for the description again: how blocks are computed is known only once they have learned. */
  async redescribe(): Promise<void> {
    await this.fetchDescription().catch(() => {})
  }

  private async fetchDescription(): Promise<void> {
    const { turn } = this
    const description = await this.rest.get<Description>(this.path('net'))
    if (this.turn === turn) this.description.value = description
  }

  private read(data: ArrayBuffer): void {
    for (const reading of decode(data)) this.watches.read(reading)
  }

  private heard(message: ServerMessage): void {
    switch (message.type) {
      case 'hello':
        this.adopt(message.session)
        void this.describe(message.revision).catch(() => {})
        break
      case 'status': {
        const { type: _, ...status } = message
        this.adopt(status.id)
        this.status.value = { ...this.status.peek(), ...status } as Status
        if (status.revision !== undefined) void this.describe(status.revision).catch(() => {})
        break
      }
      case 'result':
        this.answered(message)
        break
      case 'entry': {
        const { type: _, ...entry } = message
        const before = this.history.peek()
        const known = before.findIndex((other) => other.number === entry.number)
        this.history.value = known < 0 ? [...before, entry] : before.map((other, n) => (n === known ? entry : other))
        for (const listener of this.entryListeners) listener(entry)
        break
      }
      case 'metrics':
        for (const listener of this.metricListeners) listener(message.rows, message.reset ?? false)
        break
      case 'system': {
        const { type: _, ...system } = message
        this.system.value = system
        break
      }
      case 'refused':
        this.refused(message.id, new FaultError(message.faults))
        break
      case 'ended':
        this.ended.value = message.reason
        break
    }
  }

  /** A session without a record is `name/0`; once it has one, it is called after it. */
  private adopt(id: string | undefined): void {
    if (!id || this.id.peek() === null || this.id.peek() === id) return
    this.id.value = id
    void this.refresh() // what was asked under the old name may have been refused
  }

  private answered({ id, result, faults }: Extract<ServerMessage, { type: 'result' }>): void {
    const pending = this.pending.get(id)
    this.pending.delete(id)
    if (faults) {
      if (pending) pending.reject(new FaultError(faults))
      else this.refused(id, new FaultError(faults))
    } else {
      pending?.resolve(result)
    }
  }

  private refused(id: number | null, error: FaultError): void {
    if (id !== null && this.watches.refuse(id, error)) return
    const pending = id === null ? undefined : this.pending.get(id)
    if (id !== null) this.pending.delete(id)
    if (pending) pending.reject(error)
    else if (id === null) this.fault.value = error
  }

  private failPending(rule: string): void {
    for (const { reject } of this.pending.values()) reject(new FaultError([{ address: 'connection', rule }]))
    this.pending.clear()
  }
}

/** Edges by the block they enter, and by the block they leave. */
export function edgesOf(description: Description, path: string): { into: EdgeInfo[]; out: EdgeInfo[] } {
  return {
    into: description.edges.filter((edge) => edge.to === path),
    out: description.edges.filter((edge) => edge.from === path),
  }
}

export const store = new Store()
