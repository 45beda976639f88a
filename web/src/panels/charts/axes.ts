/** What the axes of charts show: round steps, powers of ten, percent, bytes. */

import type uPlot from 'uplot'
import { brief, bytes } from '../numbers'

/** Vertical bounds that hold always; null for those of the data. */
export type Bounds = [number | null, number | null]
/** Shares of one are shown in percent, bytes in units of 1024. */
export type Unit = 'share' | 'bytes'

/** Distances between two lines of an axis that counts: there is no half step. */
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()
/** Distances between two lines of an axis of bytes: powers of two, so that they are round in units of 1024. */
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power)

/** The horizontal axis. */
export function stepAxis(counts: string): uPlot.Axis {
  return {
    ...(counts === 'step' || counts === 'frame' ? { incrs: WHOLE } : {}),
    size: 22,
    space: 56,
    values: (_, splits, __, ___, step) => splits.map((split) => tickText(split, step)),
  }
}

/** The vertical axis. */
export function valueAxis(isLog: boolean, unit: Unit | undefined): uPlot.Axis {
  const common = { size: 46, space: 26 }
  if (isLog) {
    return {
      ...common,
      splits: (_: uPlot, __: number, low: number, high: number) => powers(low, high, 6),
      values: (_, splits) => splits.map((split) => (split === null ? '' : brief(split))),
    }
  }
  if (unit === 'bytes') return { ...common, size: 54, incrs: BINARY, values: (_, splits) => splits.map((split) => (split ? bytes(split) : '0')) }
  if (unit === 'share') return { ...common, values: (_, splits, __, ___, step) => splits.map((split) => `${tickText(split * 100, step * 100)} %`) }
  return { ...common, values: (_, splits, __, ___, step) => splits.map((split) => tickText(split, step)) }
}

/** A number at an axis whose lines are a step apart: as many digits as tell neighbours apart. */
export function tickText(value: number, step: number): string {
  const size = Math.abs(value)
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  if (size === 0) return '0'
  if (size >= 1e4 || step >= 1e4) return brief(value, Math.max(3, Math.ceil(Math.log10(size / step)) + 1))
  if (digits > 5) return brief(value, Math.max(3, Math.ceil(Math.log10(size / step)) + 1))
  return value.toFixed(digits).replace('-', '−')
}

/** The powers of ten in a range, at most so many. */
export function powers(low: number, high: number, most: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9)
  const last = Math.floor(Math.log10(high) + 1e-9)
  const step = Math.max(1, Math.ceil((last - first + 1) / most))
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => 10 ** (first + n * step))
}

/** Vertical bounds with some room, never of no height. */
export function verticalRange(min: number | null, max: number | null, isLog: boolean, bounds: Bounds | undefined): [number, number] {
  let low = bounds?.[0] ?? min ?? (isLog ? 0.1 : 0)
  let high = bounds?.[1] ?? max ?? 1
  if (isLog) {
    low = 10 ** Math.floor(Math.log10(Math.max(low, 1e-12)))
    high = 10 ** Math.ceil(Math.log10(Math.max(high, low * 1.0001)))
    return low < high ? [low, high] : [low, low * 10]
  }
  if (low === high) {
    const room = Math.abs(low) * 0.1 || 1
    ;[low, high] = [low - room, high + room]
  }
  const room = (high - low) * 0.05
  return [bounds?.[0] ?? low - room, bounds?.[1] ?? high + room]
}
