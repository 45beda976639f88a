/** Tableaus of rollouts: in which update step each block of each frame is ready, and what it waits for. */

export interface RolloutInfo {
  inference_factor: number
  /** Frames by edge, `a->b`. */
  delays: Record<string, number>
  /** For each input and block the update step in frame 0, 1, 2 ... */
  tableau: Record<string, number[]>
  first_response: Record<string, number | null>
  path_delays?: Record<string, number[]>
  faults?: unknown
}

export interface Rollouts {
  net: string
  frames: number
  rollouts: Record<string, RolloutInfo>
}

export type CellState = 'waits' | 'now' | 'done' | 'given'

/** How a cell stands after an update step: given from the start, done before it, computed in it, or waiting. */
export function stateOf(step: number, now: number): CellState {
  if (step === 0) return 'given'
  if (step === now) return 'now'
  return step < now ? 'done' : 'waits'
}

/** The last update step of some tableaus. */
export function lastStep(rollouts: readonly RolloutInfo[]): number {
  let last = 0
  for (const { tableau } of rollouts) for (const steps of Object.values(tableau)) for (const step of steps) last = Math.max(last, step)
  return last
}

/** How many frames have all their blocks after an update step, frame 0 not counted. */
export function framesDone({ tableau }: RolloutInfo, now: number): number {
  const rows = Object.values(tableau)
  const frames = rows[0]?.length ?? 0
  for (let frame = 1; frame < frames; frame += 1) if (rows.some((steps) => steps[frame]! > now)) return frame - 1
  return Math.max(0, frames - 1)
}

/** How many blocks are computed in an update step: how much works at once. */
export function atOnce({ tableau }: RolloutInfo, now: number): number {
  return Object.values(tableau).reduce((sum, steps) => sum + (now > 0 ? steps.filter((step) => step === now).length : 0), 0)
}

export interface Cell {
  block: string
  frame: number
}

export interface Wire {
  from: string
  to: string
  delay: number
}

/** The wires that delays tell of. `a->b#1` is the edge into input 1 of b. */
export function wiresOf({ delays }: RolloutInfo): Wire[] {
  return Object.entries(delays).map(([edge, delay]) => {
    const [from = '', rest = ''] = edge.split('->')
    return { from: from.trim(), to: rest.replace(/#\d+$/, '').trim(), delay }
  })
}

/** The cells that a cell reads, and those that read it; of frames before 0 nothing is shown. */
export function linked(wires: readonly Wire[], { block, frame }: Cell, frames: number): { reads: Cell[]; readBy: Cell[] } {
  return {
    reads: wires.filter((wire) => wire.to === block && frame > 0 && wire.delay <= frame).map((wire) => ({ block: wire.from, frame: frame - wire.delay })),
    readBy: wires
      .filter((wire) => wire.from === block && frame + wire.delay <= frames && frame + wire.delay > 0)
      .map((wire) => ({ block: wire.to, frame: frame + wire.delay })),
  }
}

/** All cells that a cell depends on, itself included. */
export function past(wires: readonly Wire[], cell: Cell, most = 4000): Set<string> {
  const found = new Set<string>()
  const waiting = [cell]
  while (waiting.length && found.size < most) {
    const next = waiting.pop()!
    const key = keyOf(next)
    if (found.has(key)) continue
    found.add(key)
    waiting.push(...linked(wires, next, Infinity).reads)
  }
  return found
}

export function keyOf({ block, frame }: Cell): string {
  return `${frame} ${block}`
}
