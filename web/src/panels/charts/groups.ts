/** Which numbers share a chart: `loss` of all phases; the delays of one metric; the rates of all rules. */

export const PHASES = ['train', 'val', 'test'] as const
export type Phase = (typeof PHASES)[number]

export interface Named {
  /** As the run writes it, such as `val/accuracy` or `by_delay/5/val`. */
  name: string
  /** The chart that it belongs to. */
  group: string
  phase: Phase | null
  /** The number of a metric of many, such as the frames since onset. */
  index: number | null
}

/** What a metric's name says. The phase stands before or behind it, or nowhere. */
export function named(name: string): Named {
  const parts = name.split('/')
  let phase: Phase | null = null
  if (parts.length > 1 && isPhase(parts[0]!)) phase = parts.shift() as Phase
  else if (parts.length > 1 && isPhase(parts.at(-1)!)) phase = parts.pop() as Phase
  const last = parts.at(-1)!
  const index = parts.length > 1 && /^\d+$/.test(last) ? Number(last) : null
  if (index !== null) parts.pop()
  return { name, group: parts.join('/'), phase, index }
}

function isPhase(word: string): word is Phase {
  return (PHASES as readonly string[]).includes(word)
}

const FIRST = [/loss/, /accuracy/, /error/, /by_delay/]

/** The names by chart: losses first, then accuracies, errors, and all else in the order of the alphabet. */
export function grouped(names: Iterable<string>): Map<string, Named[]> {
  const groups = new Map<string, Named[]>()
  for (const name of names) {
    const one = named(name)
    const known = groups.get(one.group)
    if (known) known.push(one)
    else groups.set(one.group, [one])
  }
  const rank = (group: string) => {
    const place = FIRST.findIndex((pattern) => pattern.test(group))
    return place < 0 ? FIRST.length : place
  }
  for (const list of groups.values()) {
    list.sort((a, b) => (a.index ?? -1) - (b.index ?? -1) || order(a.phase) - order(b.phase))
  }
  return new Map([...groups].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b)))
}

function order(phase: Phase | null): number {
  return phase === null ? -1 : PHASES.indexOf(phase)
}

/** Whether a chart's numbers are one metric over delays: every one has an index. */
export function isProfile(list: readonly Named[]): boolean {
  return list.length > 1 && list.every((one) => one.index !== null)
}

/** Whether numbers of this name are shares of one. */
export function isShare(group: string): boolean {
  return /accuracy|precision|recall|f1|auc|by_delay/i.test(group)
}
