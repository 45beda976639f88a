/** The numbers of one run, as its record has them and as they arrive; and what the page itself has seen of it. */

import { signal } from '@preact/signals'
import type { MetricsRow, Status, SystemReading } from '../../protocol'
import { Series } from './series'

/** What a row says beside its numbers. */
const APART = new Set(['step', 'epoch', 'time', 'phase', 'frame', 'values'])

export interface Metrics {
  names: string[]
  rows: Record<string, { step: number[]; value: (number | null | string)[] }>
  /** How far the record was read, to ask for what comes after. */
  last?: number
  /** Whether the record began anew. */
  reset?: boolean
}

/** Series by name. `names` changes when there is a new one; new points change the series only. */
export class Buffers {
  readonly names = signal<readonly string[]>([])
  private readonly held = new Map<string, Series>()

  /** The series of this name, made if need be. */
  of(name: string): Series {
    let series = this.held.get(name)
    if (!series) {
      series = new Series()
      this.held.set(name, series)
      this.names.value = [...this.names.peek(), name]
    }
    return series
  }

  /** Adds a point. */
  push(name: string, step: number, value: number): void {
    this.of(name).push(step, value)
  }

  /** Takes what a run's record has; points that came by themselves meanwhile stay behind it. */
  load(metrics: Metrics): void {
    for (const [name, { step, value }] of Object.entries(metrics.rows)) {
      const series = this.of(name)
      const newer = [...series.steps].map((at, n) => [at, series.values[n]!] as const)
      series.truncate(-Infinity)
      step.forEach((at, n) => series.push(at, asNumber(value[n])))
      const last = series.lastStep ?? -Infinity
      for (const [at, one] of newer) if (at > last) series.push(at, one)
    }
  }

  /** Takes what came to a record since the last look. */
  append(metrics: Metrics): void {
    for (const [name, { step, value }] of Object.entries(metrics.rows)) {
      step.forEach((at, n) => this.push(name, at, asNumber(value[n])))
    }
  }

  /** Takes rows as the socket sends them; a row with a phase names its numbers after it. */
  add(rows: readonly MetricsRow[]): void {
    for (const row of rows) {
      const { phase, values } = row as unknown as { phase?: string; values?: Record<string, number | string> }
      const prefix = typeof phase === 'string' ? `${phase}/` : ''
      for (const [name, value] of Object.entries(values ?? row)) {
        if (values === undefined && APART.has(name)) continue
        this.push(prefix + name, row.step, asNumber(value))
      }
    }
  }

  /** Drops what lies beyond a step, as after going back. */
  truncate(after: number): void {
    for (const series of this.held.values()) series.truncate(after + 1)
  }

  clear(): void {
    this.held.clear()
    this.names.value = []
  }
}

/** The name of the rate that a metric of a record is, `rate/main`; null for all else. */
export function rateOf(name: string): string | null {
  return /(?:^|\/)(rate\/.+)$/.exec(name)?.[1] ?? null
}

/** JSON has no word for NaN and infinities; records have them as texts. */
function asNumber(value: unknown): number {
  return value === null || value === undefined ? NaN : Number(value)
}

/** What the page has seen of the session's pace and rates, over steps; and of the machine, over seconds. */
export class Watched {
  readonly session = new Buffers()
  readonly machine = new Buffers()
  private readonly start = Date.now()

  status(status: Status): void {
    const { step } = status.clock ?? {}
    if (step === undefined) return
    if (status.state === 'running' && status.frames_per_second !== null && status.frames_per_second !== undefined) {
      this.session.push('frames/s', step, status.frames_per_second)
    }
    for (const rule of status.rules ?? []) {
      if (typeof rule.rate === 'number') this.session.push(`rate/${rule.name}`, step, rule.rate)
      else if (rule.rate) for (const [part, rate] of Object.entries(rule.rate)) this.session.push(`rate/${rule.name}/${part}`, step, rate)
    }
  }

  /** Puts the rates that a run's record tells before those that the page has seen. */
  precede(record: Buffers): void {
    const rows: Metrics['rows'] = {}
    for (const name of record.names.peek()) {
      const own = rateOf(name)
      if (own) rows[own] = { step: [...record.of(name).steps], value: [...record.of(name).values] }
    }
    this.session.load({ names: Object.keys(rows), rows })
  }

  system(reading: SystemReading, now = Date.now()): void {
    const at = (now - this.start) / 1000
    for (const [name, value] of figuresOf(reading)) this.machine.push(name, at, value)
  }

  clear(): void {
    this.session.clear()
    this.machine.clear()
  }
}

/** What is drawn of a reading of the machine, as `chart/line`. Shares are of one, sizes in bytes. */
export function figuresOf(reading: SystemReading): [string, number][] {
  const { cpu, process_cpu: own, cores, memory, memory_total: total, memory_free: free, gpu } = reading
  const found: [string, number | null | undefined][] = [
    ['CPU/machine', cpu],
    ['CPU/this run', own === null || own === undefined || !cores ? null : own / cores],
    ['memory/this run', memory],
    ['memory/machine', total && free !== null && free !== undefined ? total - free : null],
  ]
  for (const [number, device] of (gpu ?? []).entries()) {
    found.push([`GPU/${number}`, device.used ?? null])
    found.push([`GPU memory/${number}`, device.memory ?? null])
  }
  return found.filter((one): one is [string, number] => typeof one[1] === 'number' && Number.isFinite(one[1]))
}
