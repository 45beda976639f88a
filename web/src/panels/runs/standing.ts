/** How runs stand, in words, and what can be done to them. */

import type { RunInfo } from '../../protocol'

/** The mark of a status, so that colour is not needed to tell them apart. */
export const MARKS: Record<string, string> = {
  created: '○',
  running: '▶',
  interrupted: '❚❚',
  failed: '✕',
  finished: '✓',
  died: '✝',
}

export function canStop(run: RunInfo): boolean {
  return run.status === 'running'
}

export function canResume(run: RunInfo): boolean {
  return run.status !== 'running' && run.status !== 'finished'
}

export function canRemove(run: RunInfo): boolean {
  return run.status !== 'running'
}

/** Whether a run suits a filter: every word is in its name, status, or error. */
export function suits(run: RunInfo, filter: string): boolean {
  const text = `${run.id} ${run.status} ${run.live ? 'live' : ''} ${run.error ?? ''}`.toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

export type SortKey = 'id' | 'status' | 'step' | 'updated'

/** Runs in order; the newest first where they were never sorted. */
export function sorted(runs: readonly RunInfo[], key: SortKey, isDown: boolean): RunInfo[] {
  const sign = isDown ? -1 : 1
  const collator = new Intl.Collator(undefined, { numeric: true })
  return [...runs].sort((a, b) => {
    const order =
      key === 'id' ? 0 : key === 'status' ? collator.compare(a.status, b.status) : (a[key] ?? 0) - (b[key] ?? 0)
    return sign * (order || collator.compare(a.id, b.id))
  })
}

/** A metric of a run; texts such as "NaN" are numbers too. */
export function metricOf(run: RunInfo, name: string): number | null {
  const value = run.metrics?.[name]
  return value === undefined || value === null ? null : Number(value)
}

/** The names of the metrics of some runs, at most so many, those of most runs first. */
export function metricNames(runs: readonly RunInfo[], most: number): string[] {
  const counts = new Map<string, number>()
  for (const run of runs) for (const name of Object.keys(run.metrics ?? {})) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([name]) => name)
}

export interface Difference {
  address: string
  values: unknown[]
}

/** The addresses at which the documents of runs differ. */
export function differences(documents: readonly Record<string, unknown>[]): Difference[] {
  const addresses = [...new Set(documents.flatMap((document) => Object.keys(document)))]
  return addresses
    .map((address) => ({ address, values: documents.map((document) => document[address]) }))
    .filter(({ values }) => values.some((value) => JSON.stringify(value) !== JSON.stringify(values[0])))
}
