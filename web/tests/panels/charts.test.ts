import { describe, expect, it } from 'vitest'
import { Buffers, figuresOf, Watched } from '../../src/panels/charts/buffers'
import { powers, tickText, valueAxis, verticalRange } from '../../src/panels/charts/axes'
import { pointsOf } from '../../src/panels/charts/chart'
import { grouped, isProfile, isShare, named } from '../../src/panels/charts/groups'
import { linesOf } from '../../src/panels/charts/metrics'
import type { MetricsRow, Status } from '../../src/protocol'

describe('groups of metrics', () => {
  it('finds phase and number wherever they stand', () => {
    expect(named('val/by_delay/5')).toEqual({ name: 'val/by_delay/5', group: 'by_delay', phase: 'val', index: 5 })
    expect(named('by_delay/5/val')).toMatchObject({ group: 'by_delay', phase: 'val', index: 5 })
    expect(named('loss')).toMatchObject({ group: 'loss', phase: null, index: null })
    expect(named('train/branch/loss')).toMatchObject({ group: 'branch/loss', phase: 'train' })
  })

  it('puts the phases of a metric on one chart, losses first', () => {
    const groups = grouped(['val/zeta', 'val/accuracy', 'val/loss', 'train/loss'])
    expect([...groups.keys()]).toEqual(['loss', 'accuracy', 'zeta'])
    expect(groups.get('loss')!.map((one) => one.phase)).toEqual(['train', 'val'])
  })

  it('knows metrics over delays', () => {
    const groups = grouped(['val/by_delay/10', 'val/by_delay/2', 'val/loss'])
    expect(groups.get('by_delay')!.map((one) => one.index)).toEqual([2, 10])
    expect(isProfile(groups.get('by_delay')!)).toBe(true)
    expect(isProfile(groups.get('loss')!)).toBe(false)
    expect(isShare('by_delay')).toBe(true)
  })
})

describe('buffers', () => {
  const row = (step: number, values: Record<string, unknown>) => ({ step, ...values }) as unknown as MetricsRow

  it('take rows as they come and name what is new', () => {
    const buffers = new Buffers()
    buffers.add([row(1, { 'train/loss': 0.5, epoch: 1 }), row(2, { 'train/loss': 'NaN' })])
    expect(buffers.names.value).toEqual(['train/loss'])
    expect([...buffers.of('train/loss').values]).toEqual([0.5, NaN])
  })

  it('put what the record has before what came by itself', () => {
    const buffers = new Buffers()
    buffers.add([row(30, { 'train/loss': 3 })])
    buffers.load({ names: ['train/loss'], rows: { 'train/loss': { step: [10, 20, 30], value: [1, 2, 2.5] } } })
    expect([...buffers.of('train/loss').steps]).toEqual([10, 20, 30])
    buffers.add([row(40, { 'train/loss': 4 })])
    buffers.load({ names: ['train/loss'], rows: { 'train/loss': { step: [10, 20, 30], value: [1, 2, 2.5] } } })
    expect([...buffers.of('train/loss').steps]).toEqual([10, 20, 30, 40])
  })

  it('append what came since the last look', () => {
    const buffers = new Buffers()
    buffers.load({ names: [], rows: { loss: { step: [1], value: [1] } } })
    buffers.append({ names: [], rows: { loss: { step: [2], value: [2] } } })
    expect([...buffers.of('loss').steps]).toEqual([1, 2])
  })

  it('drop what lies beyond a step that was gone back to', () => {
    const buffers = new Buffers()
    buffers.add([row(1, { loss: 1 }), row(2, { loss: 2 }), row(3, { loss: 3 })])
    buffers.truncate(2)
    expect([...buffers.of('loss').steps]).toEqual([1, 2])
  })

  it('see the pace and the rates of a session in its status', () => {
    const watched = new Watched()
    const status = { state: 'running', clock: { step: 7 }, frames_per_second: 30, rules: [{ name: 'main', active: true, rate: { a: 0.1, b: 0.2 } }] }
    watched.status(status as unknown as Status)
    expect(watched.session.names.value).toEqual(['frames/s', 'rate/main/a', 'rate/main/b'])
    expect(watched.session.of('frames/s').last).toBe(30)
  })
})

it('puts the rates of a record before those that were seen', () => {
  const record = new Buffers()
  record.push('train/rate/main', 100, 0.1)
  record.push('train/loss', 100, 1)
  const watched = new Watched()
  watched.session.push('rate/main', 150, 0.2)
  watched.precede(record)
  expect(watched.session.names.value).toEqual(['rate/main'])
  expect([...watched.session.of('rate/main').steps]).toEqual([100, 150])
})

it('reads the figures of the machine and leaves out what is not told', () => {
  const gpu = [{ name: 'one', used: null, memory: 5, memory_total: 9 }]
  expect(figuresOf({ cpu: 0.5, process_cpu: 1, cores: 4, memory: 100, memory_total: 1000, memory_free: 400, gpu })).toEqual([
    ['CPU/machine', 0.5],
    ['CPU/this run', 0.25],
    ['memory/this run', 100],
    ['memory/machine', 600],
    ['GPU memory/0', 5],
  ])
  expect(figuresOf({ cpu: null, memory: null })).toEqual([])
})

it('gives runs colours of their own, and phases dashes', () => {
  const sources = ['a/1', 'b/1'].map((label) => {
    const buffers = new Buffers()
    buffers.push('train/loss', 1, 1)
    buffers.push('val/loss', 1, 1)
    return { label, buffers }
  })
  const list = grouped(['train/loss', 'val/loss']).get('loss')!
  expect(linesOf(list, sources).map(({ label, colour, dash }) => [label, colour, dash])).toEqual([
    ['a/1 train', 0, []],
    ['a/1 val', 0, [6, 4]],
    ['b/1 train', 1, []],
    ['b/1 val', 1, [6, 4]],
  ])
  expect(linesOf(list, sources.slice(0, 1)).map(({ label, colour }) => [label, colour])).toEqual([
    ['train', 0],
    ['val', 1],
  ])
})

it('leaves out of a logarithmic chart what has no logarithm', () => {
  const series = { steps: Float64Array.from([1, 2, 3]), values: Float64Array.from([1, 0, -1]) }
  expect([...pointsOf(series, 0, true, 300, null).values]).toEqual([1, NaN, NaN])
})

it('has powers of ten on a logarithmic axis, and not too many', () => {
  expect(powers(0.01, 100, 6)).toEqual([0.01, 0.1, 1, 10, 100])
  expect(powers(1e-7, 10, 6).length).toBeLessThanOrEqual(6)
  expect(powers(0.3, 0.9, 6)).toEqual([])
})

it('writes as many digits at an axis as tell its lines apart', () => {
  expect([0.0028, 0.0029, 0.003].map((value) => tickText(value, 0.0001))).toEqual(['0.0028', '0.0029', '0.0030'])
  expect([0, 500, 1000].map((value) => tickText(value, 500))).toEqual(['0', '500', '1000'])
  expect([10_000, 10_500].map((value) => tickText(value, 500))).toEqual(['10 k', '10.5 k'])
  expect(tickText(-0.5, 0.5)).toBe('−0.5')
  expect(tickText(2.5e-7, 5e-8)).toBe('2.5e−7')
})

it('gives every chart some height', () => {
  const rounded = (range: [number, number]) => range.map((bound) => Number(bound.toFixed(6)))
  expect(rounded(verticalRange(5, 5, false, undefined))).toEqual([4.45, 5.55])
  expect(rounded(verticalRange(0, 0, false, undefined))).toEqual([-1.1, 1.1])
  expect(verticalRange(0.02, 30, true, undefined)).toEqual([0.01, 100])
  expect(verticalRange(0.4, 0.6, false, [0, 1])).toEqual([0, 1])
})

describe('the vertical axis', () => {
  const texts = (unit: 'share' | 'bytes', splits: number[], step: number) => {
    const { values } = valueAxis(false, unit)
    return (values as (plot: never, splits: number[], axis: number, space: number, step: number) => string[])(undefined as never, splits, 0, 0, step)
  }

  it('tells shares in percent', () => {
    expect(texts('share', [0, 0.5, 1], 0.5)).toEqual(['0 %', '50 %', '100 %'])
  })

  it('tells bytes in units of 1024', () => {
    expect(texts('bytes', [0, 2 ** 30, 3 * 2 ** 30], 2 ** 30)).toEqual(['0', '1 GiB', '3 GiB'])
  })
})
