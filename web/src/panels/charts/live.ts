/** The buffers of the session that a store shows: filled from its record, then by what arrives, also while no chart is open. */

import { computed, effect } from '@preact/signals'
import type { HistoryEntry } from '../../protocol'
import type { Store } from '../../session'
import { Buffers, Watched, type Metrics } from './buffers'

export interface Live {
  metrics: Buffers
  watched: Watched
}

/** Points of one number that are asked of a record. */
export const MOST_POINTS = 2000

const known = new WeakMap<Store, Live>()

/** The buffers of a store's session; made and kept filled from the first call on. */
export function liveOf(store: Store): Live {
  const before = known.get(store)
  if (before) return before
  const live: Live = { metrics: new Buffers(), watched: new Watched() }
  known.set(store, live)
  let shown: string | null = null
  let lastStep = -1
  let lastFrame = -1
  // A session that has no record yet is `name/0`; its status tells the number that the record has later.
  const run = computed(() => (store.id.value === null ? null : (store.status.value?.id ?? store.id.value)))
  const load = (id: string) =>
    void loadMetrics(store, id, live.metrics, () => run.peek() === id).then(() => run.peek() === id && live.watched.precede(live.metrics))
  effect(() => {
    const id = store.id.value
    if (id === shown) return
    shown = id
    lastStep = lastFrame = -1
    live.metrics.clear()
    live.watched.clear()
  })
  effect(() => {
    const id = run.value
    if (id && store.connection.value === 'open') load(id)
  })
  effect(() => {
    const status = store.status.value
    if (!status?.clock) return
    if (status.clock.step < lastStep) {
      live.metrics.truncate(status.clock.step)
      live.watched.session.truncate(status.clock.step)
    }
    if (status.clock.frame < lastFrame) void readHistory(store)
    lastFrame = status.clock.frame
    lastStep = status.clock.step
    live.watched.status(status)
  })
  effect(() => {
    const reading = store.system.value
    if (reading) live.watched.system(reading)
  })
  store.onMetrics((rows, isAnew) => {
    if (!isAnew) {
      live.metrics.add(rows)
      return
    }
    live.metrics.clear()
    if (run.peek()) load(run.peek()!)
  })
  return live
}

/** Reads the history again: after going back, what was done beyond that frame is no longer in it. */
async function readHistory(store: Store): Promise<void> {
  const id = store.id.peek()
  try {
    const { history } = await store.rest.get<{ history: HistoryEntry[] }>(store.path('history'))
    if (store.id.peek() === id) store.history.value = history
  } catch {
    // the next command tells it anyway
  }
}

/**
 * Fills buffers from a run's record; a session without a record has none, and that is no fault.
 *
 * `places` remembers how far each run was read, so that the next call asks for what came since.
 */
export async function loadMetrics(
  store: Store,
  id: string,
  buffers: Buffers,
  isWanted: () => boolean = () => true,
  places?: Map<string, number>,
): Promise<void> {
  const after = places?.get(id) ?? 0
  try {
    const metrics = await store.rest.get<Metrics>(`runs/${id}/metrics`, { points: MOST_POINTS, after })
    if (!isWanted()) return
    if (metrics.reset) buffers.clear()
    if (after && !metrics.reset) buffers.append(metrics)
    else buffers.load(metrics)
    if (typeof metrics.last === 'number') places?.set(id, metrics.last)
  } catch {
    // what arrives by itself is shown all the same
  }
}
