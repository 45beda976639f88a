/** Where commands stand on a line of frames, and which of them fall together on a screen. */

import type { HistoryEntry } from '../../protocol'

export interface Window {
  first: number
  last: number
}

/** What a command is about; each has a mark of its own, so that colour is not needed to tell them apart. */
export type Sort = 'time' | 'learning' | 'touch' | 'structure' | 'record'

const SORTS: Record<string, Sort> = {
  back: 'time',
  undo: 'time',
  stop: 'time',
  speed: 'time',
  rate: 'learning',
  learning: 'learning',
  hold: 'learning',
  release: 'learning',
  set: 'touch',
  reinitialise: 'touch',
  clamp: 'touch',
  noise: 'touch',
  lesion: 'touch',
  restore: 'touch',
  connect: 'structure',
  disconnect: 'structure',
  remove: 'structure',
  widen: 'structure',
  evaluate: 'record',
  checkpoint: 'record',
}

/** What an entry is about. `add` makes a block if its value is a mapping, else it shifts a number. */
export function sortOf(entry: Pick<HistoryEntry, 'command' | 'text'>): Sort {
  const name = entry.command?.name ?? entry.text.split(' ')[0] ?? ''
  if (name === 'add') return /\{/.test(entry.text) ? 'structure' : 'touch'
  return SORTS[name] ?? 'touch'
}

/** The mark of a sort: a letter that a line of marks shows. */
export const MARKS: Record<Sort, string> = { time: '◂', learning: '▲', touch: '●', structure: '◆', record: '■' }

export const SORT_NAMES: Record<Sort, string> = {
  time: 'time',
  learning: 'learning',
  touch: 'values and interventions',
  structure: 'the net itself',
  record: 'evaluations and checkpoints',
}

/** The frames that a timeline shows: all so far, or the newest `span`. */
export function windowOf(frame: number, span: number | null): Window {
  const last = Math.max(1, frame)
  return { first: span === null ? 0 : Math.max(0, last - span), last }
}

/** The share of the way from the first frame of a window to the last, 0 to 1. */
export function shareOf(frame: number, { first, last }: Window): number {
  return Math.min(1, Math.max(0, (frame - first) / Math.max(1, last - first)))
}

/** The frame at a share of the way. */
export function frameAt(share: number, { first, last }: Window): number {
  return Math.round(first + Math.min(1, Math.max(0, share)) * (last - first))
}

export interface Cluster {
  /** Share of the way. */
  at: number
  sort: Sort
  entries: HistoryEntry[]
}

/** Entries in a window by place; those of a sort nearer than `nearest` of the width share a mark. */
export function clusters(entries: readonly HistoryEntry[], window: Window, nearest: number): Cluster[] {
  const found: Cluster[] = []
  const open = new Map<Sort, Cluster>()
  const shown = entries.filter((entry) => entry.frame >= window.first && entry.frame <= window.last)
  for (const entry of [...shown].sort((a, b) => a.frame - b.frame)) {
    const sort = sortOf(entry)
    const at = shareOf(entry.frame, window)
    const near = open.get(sort)
    if (near && at - near.at < nearest) near.entries.push(entry)
    else {
      const made = { at, sort, entries: [entry] }
      open.set(sort, made)
      found.push(made)
    }
  }
  return found
}

/** Round frames for the axis, at most about `most` of them. */
export function ticks({ first, last }: Window, most: number): number[] {
  const rough = (last - first) / Math.max(1, most)
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)))
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power * 10)
  const found = []
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) found.push(at)
  return found
}
