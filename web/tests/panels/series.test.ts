import { describe, expect, it } from 'vitest'
import { firstNotBelow, joined, Series, smoothed, thinned } from '../../src/panels/charts/series'

const filled = (count: number, valueOf: (n: number) => number = (n) => n) => {
  const series = new Series()
  for (let n = 0; n < count; n += 1) series.push(n, valueOf(n))
  return series
}

describe('Series', () => {
  it('keeps points beyond its first capacity', () => {
    const series = filled(1000)
    expect(series.length).toBe(1000)
    expect(series.values[999]).toBe(999)
  })

  it('drops what is not before a step that comes again, as after going back', () => {
    const series = filled(10)
    series.push(4, 40)
    expect([...series.steps]).toEqual([0, 1, 2, 3, 4])
    expect(series.last).toBe(40)
  })

  it('drops points from a step on', () => {
    const series = filled(10)
    const { version } = series
    series.truncate(7)
    expect(series.length).toBe(7)
    expect(series.version).toBeGreaterThan(version)
    series.truncate(100)
    expect(series.length).toBe(7)
  })

  it('keeps every second point of its older half when it is full, and all newer ones', () => {
    const series = new Series(8)
    for (let n = 0; n < 9; n += 1) series.push(n, n)
    expect([...series.steps]).toEqual([0, 2, 4, 5, 6, 7, 8])
  })
})

describe('smoothed', () => {
  it('leaves a constant as it is, from the first value on', () => {
    expect([...smoothed(new Float64Array([2, 2, 2]), 0.9)].map((value) => value.toFixed(9))).toEqual(['2.000000000', '2.000000000', '2.000000000'])
  })

  it('is m = w m + (1 - w) x over 1 - w^n', () => {
    expect([...smoothed(new Float64Array([1, 0]), 0.5)]).toEqual([1, 1 / 3])
  })

  it('leaves gaps where there is no number', () => {
    const [first, gap, last] = smoothed(new Float64Array([1, NaN, 1]), 0.5)
    expect([first, gap, last]).toEqual([1, NaN, 1])
  })
})

describe('thinned', () => {
  it('leaves few points alone', () => {
    const series = filled(20)
    expect(thinned(series, 10).steps.length).toBe(20)
  })

  it('keeps every peak', () => {
    const series = filled(10_000, (n) => (n === 5003 ? 99 : n === 7001 ? -99 : 0))
    const points = thinned(series, 50)
    expect(points.steps.length).toBeLessThanOrEqual(100)
    expect(Math.max(...points.values)).toBe(99)
    expect(Math.min(...points.values)).toBe(-99)
    expect([...points.steps]).toEqual([...points.steps].sort((a, b) => a - b))
  })

  it('takes a range with one point on each side of it', () => {
    expect([...thinned(filled(100), 50, 10, 12).steps]).toEqual([9, 10, 11, 12])
  })
})

it('finds the first step that is not below a bound', () => {
  const steps = Float64Array.from([1, 3, 5])
  expect([0, 1, 2, 5, 6].map((bound) => firstNotBelow(steps, bound))).toEqual([0, 0, 1, 2, 3])
})

it('joins lines on one axis, with nothing where a line has no point', () => {
  const a = { steps: Float64Array.from([1, 2]), values: Float64Array.from([10, NaN]) }
  const b = { steps: Float64Array.from([2, 3]), values: Float64Array.from([20, 30]) }
  expect(joined([a, b])).toEqual([
    [1, 2, 3],
    [10, null, null],
    [null, 20, 30],
  ])
})
