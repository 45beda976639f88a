/** Where the slider of a number begins and ends, and how its places are spread. */

export interface Range {
  low: number
  high: number
  /** On a logarithmic slider the lowest place stands for 0 where `zero` is set. */
  scale: 'linear' | 'log'
  zero?: boolean
  /** The smallest change that means anything; 1 for whole numbers. */
  step?: number
}

export const RATE: Range = { low: 1e-7, high: 10, scale: 'log', zero: true }
const SHARE: Range = { low: 0, high: 1, scale: 'linear' }
const SMALL: Range = { low: 1e-8, high: 1, scale: 'log', zero: true }

/** Numbers that are shares of one, by the last part of their address. */
const SHARES = new Set(['p', 'momentum', 'dropout', 'dampening', 'rho', 'alpha', 'keep', 'probability', 'prob'])
const SMALLS = new Set(['weight_decay', 'eps', 'lr_decay', 'decay', 'l1', 'l2'])

/** Whole numbers, by the last part of their address: of frames, steps, examples, things. */
const COUNTS = new Set(['accumulate', 'every', 'start', 'period', 'frames', 'steps', 'duration', 'lag', 'window', 'offset', 'warmup', 'count'])

/** A range that suits a number, by the last part of its address and the value that it has. */
export function rangeOf(address: string, value: number): Range {
  const name = address.slice(address.lastIndexOf('/') + 1).replace(/\[\d+\]$/, '')
  const known = name === 'rate' || name === 'lr' ? RATE : SMALLS.has(name) ? SMALL : isShare(name, value) ? SHARE : null
  if (known && value >= 0 && value <= known.high) return known
  if (COUNTS.has(name) && Number.isInteger(value) && value >= 0) return { ...around(Math.max(1, value)), step: 1 }
  if (Number.isInteger(value) && Math.abs(value) >= 2) return { ...around(value), step: 1 }
  return around(value)
}

function isShare(name: string, value: number): boolean {
  return value >= 0 && value <= 1 && (SHARES.has(name) || /^beta/.test(name))
}

function around(value: number): Range {
  const size = value === 0 ? 1 : 10 ** Math.ceil(Math.log10(Math.abs(value) * 2))
  return { low: value < 0 ? -size : 0, high: size, scale: 'linear' }
}

const PLACES = 1000

/** The place of a value on the slider, 0 to 1000. */
export function toPlace(value: number, { low, high, scale, zero }: Range): number {
  if (scale === 'linear') return clamp(((value - low) / (high - low)) * PLACES)
  if (zero && value < low) return 0
  return clamp((Math.log(value / low) / Math.log(high / low)) * PLACES)
}

/** The value at a place of the slider, to three digits. */
export function fromPlace(place: number, { low, high, scale, zero, step }: Range): number {
  if (scale === 'log' && zero && place <= 0) return 0
  const share = clamp(place) / PLACES
  const value = scale === 'linear' ? low + share * (high - low) : low * (high / low) ** share
  if (step) return Math.round(value / step) * step
  return place >= PLACES ? high : place <= 0 ? low : Number(value.toPrecision(3))
}

function clamp(place: number): number {
  return Math.min(PLACES, Math.max(0, place))
}
