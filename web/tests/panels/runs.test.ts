import { describe, expect, it } from 'vitest'
import { readChanges } from '../../src/panels/runs/form'
import { lineOf, marksOf, startOfLine } from '../../src/panels/runs/marks'
import { canRemove, canResume, canStop, differences, metricNames, metricOf, sorted, suits } from '../../src/panels/runs/standing'
import type { RunInfo } from '../../src/protocol'

const run = (id: string, status: string, more: Partial<RunInfo> = {}): RunInfo => ({ id, experiment: id.split('/')[0]!, status, ...more })

describe('a list of runs', () => {
  it('is filtered by every word', () => {
    const one = run('digits/1', 'failed', { error: 'net/conv1 is not finite' })
    expect(suits(one, 'digits FAIL')).toBe(true)
    expect(suits(one, 'conv1')).toBe(true)
    expect(suits(one, 'digits running')).toBe(false)
    expect(suits(one, '')).toBe(true)
  })

  it('is sorted by number within a name', () => {
    const runs = [run('a/10', 'finished', { step: 1 }), run('a/9', 'running', { step: 5 }), run('a/2', 'failed')]
    expect(sorted(runs, 'id', false).map((one) => one.id)).toEqual(['a/2', 'a/9', 'a/10'])
    expect(sorted(runs, 'step', true).map((one) => one.id)).toEqual(['a/9', 'a/10', 'a/2'])
    expect(sorted(runs, 'status', false).map((one) => one.status)).toEqual(['failed', 'finished', 'running'])
  })

  it('offers what can be done', () => {
    const can = (status: string) => [canStop, canResume, canRemove].map((deed) => deed(run('a/1', status)))
    expect(can('running')).toEqual([true, false, false])
    expect(can('finished')).toEqual([false, false, true])
    expect(can('died')).toEqual([false, true, true])
  })

  it('shows the metrics that most runs have', () => {
    const runs = [run('a/1', 'finished', { metrics: { loss: 1 } }), run('a/2', 'finished', { metrics: { accuracy: 0.9, loss: 'NaN' } })]
    expect(metricNames(runs, 1)).toEqual(['loss'])
    expect(metricOf(runs[1]!, 'loss')).toBeNaN()
    expect(metricOf(runs[0]!, 'accuracy')).toBeNull()
  })
})

it('tells in what documents differ', () => {
  expect(differences([{ a: 1, b: [1, 2], c: 3 }, { a: 2, b: [1, 2] }])).toEqual([
    { address: 'a', values: [1, 2] },
    { address: 'c', values: [3, undefined] },
  ])
})

describe('faults of a document', () => {
  const text = 'experiment: x\nnet:\n  blocks:\n    conv: {type: Conv2x}\nrun: {epochs: 1}\n'

  it('stand at the lines that they name', () => {
    const faults = [
      { address: 'net/conv.type', rule: 'unknown block type', line: 4 },
      { address: 'data', rule: 'is required' },
      { address: 'run.epochs', rule: 'must be at least 1' },
      { address: '', rule: 'too far', line: 99 },
    ]
    const marks = marksOf(faults, text)
    expect([...marks.byLine.keys()]).toEqual([4, 5])
    expect(marks.elsewhere.map((fault) => fault.rule)).toEqual(['is required', 'too far'])
  })

  it('are looked for by their address', () => {
    const lines = text.split('\n')
    expect(lineOf('net.blocks.conv.type', lines)).toBe(4)
    expect(lineOf('run.epochs', lines)).toBe(5)
    expect(lineOf('nowhere', lines)).toBeNull()
  })

  it('lead to the place where their line begins', () => {
    expect(text.slice(startOfLine(text, 2))).toMatch(/^net:/)
    expect(startOfLine(text, 99)).toBe(text.length)
  })
})

it('reads changes as the command line takes them', () => {
  expect(readChanges('run.epochs=2 name="two words" list=[1, 2] rate=auto none=null')).toEqual({
    set: { 'run.epochs': 2, name: 'two words', list: [1, 2], rate: 'auto', none: null },
    faults: [],
  })
  expect(readChanges('oops').faults).toEqual(['oops: must be written as address=value'])
  expect(readChanges('')).toEqual({ set: {}, faults: [] })
})
