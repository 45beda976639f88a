/** Numbers over steps as they arrive: kept whole up to a bound, smoothed and thinned for the screen. */

const FIRST_CAPACITY = 256

/** What is drawn: steps and values of the same length. */
export interface Points {
  steps: Float64Array
  values: Float64Array
}

/** One number over steps. Steps only grow; a smaller one drops what is not before it, as after going back. */
export class Series {
  private stepsHeld = new Float64Array(FIRST_CAPACITY)
  private valuesHeld = new Float64Array(FIRST_CAPACITY)
  /** How many points are held. */
  length = 0
  /** Grows with every change. */
  version = 0

  /** `most`: at how many points every second one of the older half is dropped. */
  constructor(private readonly most = 200_000) {}

  /** The steps of all points. */
  get steps(): Float64Array {
    return this.stepsHeld.subarray(0, this.length)
  }

  /** The values of all points. */
  get values(): Float64Array {
    return this.valuesHeld.subarray(0, this.length)
  }

  /** The newest step, or null. */
  get lastStep(): number | null {
    return this.length ? this.stepsHeld[this.length - 1]! : null
  }

  /** The newest value, or null. */
  get last(): number | null {
    return this.length ? this.valuesHeld[this.length - 1]! : null
  }

  /** Adds a point. */
  push(step: number, value: number): void {
    const last = this.lastStep
    if (last !== null && step <= last) this.truncate(step)
    if (this.length >= this.most) this.thin()
    if (this.length === this.stepsHeld.length) this.grow()
    this.stepsHeld[this.length] = step
    this.valuesHeld[this.length] = value
    this.length += 1
    this.version += 1
  }

  /** Drops the points from a step on. */
  truncate(from: number): void {
    const kept = firstNotBelow(this.steps, from)
    if (kept === this.length) return
    this.length = kept
    this.version += 1
  }

  private grow(): void {
    const larger = (held: Float64Array) => {
      const next = new Float64Array(held.length * 2)
      next.set(held)
      return next
    }
    this.stepsHeld = larger(this.stepsHeld)
    this.valuesHeld = larger(this.valuesHeld)
  }

  private thin(): void {
    const half = this.length >> 1
    let at = 0
    for (let from = 0; from < this.length; from += from < half ? 2 : 1) {
      this.stepsHeld[at] = this.stepsHeld[from]!
      this.valuesHeld[at] = this.valuesHeld[from]!
      at += 1
    }
    this.length = at
  }
}

/** The index of the first step that is not below a bound. */
export function firstNotBelow(steps: Float64Array, bound: number): number {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps[middle]! < bound) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Exponential smoothing without the pull towards 0 at the start.
 *
 *     m = w m + (1 - w) x;  shown = m / (1 - w^n)
 *
 * Values that are no numbers are left out and stay gaps.
 */
export function smoothed(values: Float64Array, weight: number): Float64Array {
  if (weight <= 0) return values
  const result = new Float64Array(values.length)
  let mean = 0
  let share = 1
  for (let n = 0; n < values.length; n += 1) {
    const value = values[n]!
    if (!Number.isFinite(value)) {
      result[n] = NaN
      continue
    }
    mean = weight * mean + (1 - weight) * value
    share *= weight
    result[n] = mean / (1 - share)
  }
  return result
}

/** Of each of `buckets` parts of the range the smallest and the greatest point, in their order; peaks survive. */
export function thinned(points: Points, buckets: number, from = -Infinity, to = Infinity): Points {
  const start = Math.max(0, firstNotBelow(points.steps, from) - 1)
  const end = Math.min(points.steps.length, firstNotBelow(points.steps, to) + 1)
  const count = end - start
  if (count <= 2 * buckets) return { steps: points.steps.subarray(start, end), values: points.values.subarray(start, end) }
  const steps: number[] = []
  const values: number[] = []
  const keep = (n: number) => {
    steps.push(points.steps[n]!)
    values.push(points.values[n]!)
  }
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const first = start + Math.floor((bucket * count) / buckets)
    const beyond = start + Math.floor(((bucket + 1) * count) / buckets)
    let least = first
    let greatest = first
    for (let n = first + 1; n < beyond; n += 1) {
      if (points.values[n]! < points.values[least]! || Number.isNaN(points.values[least]!)) least = n
      if (points.values[n]! > points.values[greatest]! || Number.isNaN(points.values[greatest]!)) greatest = n
    }
    keep(Math.min(least, greatest))
    if (least !== greatest) keep(Math.max(least, greatest))
  }
  return { steps: Float64Array.from(steps), values: Float64Array.from(values) }
}

/** Several lines on one axis of steps, as uPlot takes them: null where a line has no point there. */
export function joined(lines: readonly Points[]): [number[], ...(number | null)[][]] {
  const axis = [...new Set(lines.flatMap((line) => [...line.steps]))].sort((a, b) => a - b)
  const place = new Map(axis.map((step, n) => [step, n]))
  const columns = lines.map((line) => {
    const column = new Array<number | null>(axis.length).fill(null)
    line.steps.forEach((step, n) => {
      const value = line.values[n]!
      column[place.get(step)!] = Number.isFinite(value) ? value : null
    })
    return column
  })
  return [axis, ...columns]
}
