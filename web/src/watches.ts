/** What the page watches of a session: equal subscriptions share one watch, a late one is given the newest reading at once. */

import type { ClientMessage, FaultError, ReductionName } from './protocol'
import type { Reading } from './wire'

export interface WatchOptions {
  /** Readings per second at most. */
  rate?: number
  /** Which stream (example) of the batch. */
  stream?: number
  /** Settings of the reduction: `size`, `channel`, `bins` ... */
  [setting: string]: unknown
}

export type Stop = () => void

/** What is watched, and how. */
export interface Wanted {
  address: string
  reduction: ReductionName
  rate: number
  stream: number
  settings: Record<string, unknown>
}

interface Watch extends Wanted {
  id: number
  callbacks: Set<(reading: Reading) => void>
  refused: Set<(error: FaultError) => void>
  newest: Reading | null
  error: FaultError | null
}

export class Watches {
  private readonly byId = new Map<number, Watch>()
  private readonly byKey = new Map<string, Watch>()

  constructor(
    private readonly nextId: () => number,
    private readonly send: (message: ClientMessage) => void,
  ) {}

  /** Has every reading given to a callback until what it returns is called. */
  subscribe(wanted: Wanted, callback: (reading: Reading) => void, onRefused: (error: FaultError) => void): Stop {
    const { address, reduction, rate, stream, settings } = wanted
    const key = JSON.stringify([address, reduction, rate, stream, settings])
    let watch = this.byKey.get(key)
    if (!watch) {
      watch = { ...wanted, id: this.nextId(), callbacks: new Set(), refused: new Set(), newest: null, error: null }
      this.byKey.set(key, watch)
      this.byId.set(watch.id, watch)
      this.ask(watch)
    }
    const shared = watch
    shared.callbacks.add(callback)
    shared.refused.add(onRefused)
    if (shared.newest) callback(shared.newest)
    if (shared.error) onRefused(shared.error)
    return () => {
      shared.refused.delete(onRefused)
      if (!shared.callbacks.delete(callback) || shared.callbacks.size) return
      if (this.byId.get(shared.id) !== shared) return
      this.byId.delete(shared.id)
      this.byKey.delete(key)
      this.send({ type: 'unwatch', id: shared.id })
    }
  }

  /** Asks for all of it, as on a new connection. */
  sendAll(): void {
    for (const watch of this.byId.values()) this.ask(watch)
  }

  read(reading: Reading): void {
    const watch = this.byId.get(reading.id)
    if (!watch) return
    watch.newest = reading
    for (const callback of watch.callbacks) callback(reading)
  }

  /** Tells who watches that it was refused. Returns whether there is such a watch. */
  refuse(id: number, error: FaultError): boolean {
    const watch = this.byId.get(id)
    if (!watch) return false
    watch.error = error
    for (const tell of watch.refused) tell(error)
    return true
  }

  clear(): void {
    this.byId.clear()
    this.byKey.clear()
  }

  private ask({ id, address, reduction, rate, stream, settings }: Watch): void {
    this.send({ type: 'watch', id, address, reduction, rate, stream, settings })
  }
}
