/** A store with an invented server: answers by path, and what the page sent. */

import { render } from '@testing-library/preact'
import type { ComponentType } from 'preact'
import { StoreContext } from '../../src/panels/context'
import type { ClientMessage, Description, HistoryEntry, ServerMessage, Status } from '../../src/protocol'
import { Rest } from '../../src/rest'
import { Store } from '../../src/session'
import type { SocketEvents } from '../../src/socket'
import { encode, type Reading } from '../../src/wire'

type Answers = Record<string, unknown | ((body: unknown, query: URLSearchParams) => unknown)>

export const DESCRIPTION: Description = {
  name: 'tiny',
  revision: 1,
  inputs: [{ name: 'image', shape: [1, 4, 4], dtype: 'float32' }],
  blocks: [
    {
      path: 'hidden1',
      type: 'Conv2d',
      shape: [4, 4, 4],
      dtype: 'float32',
      module: null,
      tags: [],
      process: null,
      how: null,
      exclude: [],
      parameters: [
        { address: 'net/hidden1/weight', shape: [4, 1, 3, 3], count: 36, trainable: true },
        { address: 'net/hidden1/bias', shape: [4], count: 4, trainable: true },
      ],
      settings: [],
    },
    {
      path: 'drop',
      type: 'Dropout',
      shape: [4, 4, 4],
      dtype: 'float32',
      module: null,
      tags: [],
      process: null,
      how: null,
      exclude: [],
      parameters: [],
      settings: [{ address: 'net/drop/p', value: 0.5 }],
    },
  ],
  edges: [
    { from: 'image', to: 'hidden1', port: 0, delay: 1, weight: null },
    { from: 'hidden1', to: 'drop', port: 0, delay: 0, weight: null },
  ],
  outputs: ['drop'],
  rules: [],
  rollout: {},
}

export const STATUS: Status = {
  id: 'tiny/1',
  state: 'running',
  clock: { frame: 120, step: 120, epoch: 1.5, examples: 960 },
  speed: null,
  frames_per_second: 31.5,
  interventions: [],
  rules: [{ name: 'main', active: true, rate: 0.001, type: 'Backprop' }],
  revision: 1,
}

export function entry(number: number, text: string, more: Partial<HistoryEntry> = {}): HistoryEntry {
  const command = { name: text.split(' ')[0]!, arguments: {} }
  return { number, frame: 10 * number, step: 10 * number, text, command, undoable: true, undone: false, origin: 'browser', ...more }
}

export class Server {
  readonly store: Store
  readonly sent: ClientMessage[] = []
  readonly asked: { method: string; path: string; body: unknown }[] = []
  private events: SocketEvents | null = null
  /** Refuses commands with this text. */
  readonly refuses = new Map<string, string>()

  constructor(private readonly answers: Answers = {}) {
    const rest = new Rest(new URL('http://server/api/'), (input, init) => this.answer(new URL(String(input)), init))
    this.store = new Store(rest, (_, events) => {
      this.events = events
      return { send: (message: ClientMessage) => this.heard(message), close: () => {}, latency: 1, isOpen: true }
    })
  }

  /** Opens the session and has everything told that a page is told first. */
  async live(status: Partial<Status> = {}, history: HistoryEntry[] = [], description: Description = DESCRIPTION): Promise<void> {
    Object.assign(this.answers, {
      'sessions/tiny/1': { ...STATUS, ...status },
      'sessions/tiny/1/net': description,
      'sessions/tiny/1/history': { history },
    })
    this.store.open('tiny/1')
    this.events!.state('open')
    await settled()
  }

  say(message: ServerMessage): void {
    this.events!.message(message)
  }

  lose(): void {
    this.events!.state('lost')
  }

  show(readings: Reading[]): void {
    this.events!.binary(encode(readings))
  }

  /** The commands that the page gave. */
  get commands(): string[] {
    return this.sent.flatMap((message) => (message.type === 'command' ? [message.text] : []))
  }

  /** What the page watches now. */
  get watched(): string[] {
    const open = new Map<number, string>()
    for (const message of this.sent) {
      if (message.type === 'watch') open.set(message.id, `${message.reduction} ${message.address}`)
      else if (message.type === 'unwatch') open.delete(message.id)
    }
    return [...open.values()]
  }

  private heard(message: ClientMessage): boolean {
    this.sent.push(message)
    if (message.type === 'command') {
      const rule = this.refuses.get(message.text)
      const faults = rule ? [{ address: message.text, rule }] : undefined
      queueMicrotask(() => this.say({ type: 'result', id: message.id, ...(faults ? { faults } : { result: null }) }))
    }
    return true
  }

  private async answer(url: URL, init?: RequestInit): Promise<Response> {
    const path = decodeURIComponent(url.pathname.replace('/api/', ''))
    const body = typeof init?.body === 'string' ? (JSON.parse(init.body) as unknown) : null
    const method = init?.method ?? 'GET'
    this.asked.push({ method, path, body })
    const found = this.answers[`${method} ${path}`] ?? this.answers[path]
    if (found === undefined) return new Response(JSON.stringify({ faults: [{ address: path, rule: 'is not there' }] }), { status: 404 })
    const value: unknown = typeof found === 'function' ? (found as (body: unknown, query: URLSearchParams) => unknown)(body, url.searchParams) : found
    const faults = (value as { faults?: unknown; status?: unknown } | null)?.faults
    return new Response(JSON.stringify(value), { status: faults && path !== 'validate' ? 422 : 200 })
  }
}

/** Waits until answers have come and the page is drawn anew. */
export function settled(milliseconds = 15): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

export function show(View: ComponentType, server: Server) {
  return render(
    <StoreContext.Provider value={server.store}>
      <View />
    </StoreContext.Provider>,
  )
}
