/** Where the faults of a document are, by line. */

import type { Fault } from '../../protocol'

export interface Marks {
  /** Faults by line, counted from 1. */
  byLine: Map<number, Fault[]>
  /** Those that name no line. */
  elsewhere: Fault[]
}

/** Faults by the line that they name; a fault without one is looked for by the last part of its address. */
export function marksOf(faults: readonly Fault[], text: string): Marks {
  const byLine = new Map<number, Fault[]>()
  const elsewhere: Fault[] = []
  const lines = text.split('\n')
  for (const fault of faults) {
    const line = fault.line ?? lineOf(fault.address, lines)
    if (line === null || line < 1 || line > lines.length) elsewhere.push(fault)
    else byLine.set(line, [...(byLine.get(line) ?? []), fault])
  }
  return { byLine, elsewhere }
}

/** The line on which the keys of an address stand, one below the other; null if any is missing. */
export function lineOf(address: string, lines: readonly string[]): number | null {
  const keys = address.split(/[./]/).filter((key) => key)
  let at = -1
  let found: number | null = null
  for (const key of keys) {
    const pattern = new RegExp(`(^|[\\s{,])["']?${key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?\\s*:`)
    const next = lines.findIndex((line, n) => n >= at && pattern.test(line))
    if (next < 0) continue
    at = next
    found = next + 1
  }
  return found
}

/** The place in a text where a line begins. */
export function startOfLine(text: string, line: number): number {
  let at = 0
  for (let n = 1; n < line; n += 1) {
    const next = text.indexOf('\n', at)
    if (next < 0) return text.length
    at = next + 1
  }
  return at
}
